/**
 * The annotations by which crun's callers ask for what config.json has no word for.
 * @see crun(1), "Extensions to OCI"
 */
import { resolve } from "../sys/path-names.ts";
import { CONTEXT_TYPES, type ContextType } from "./context-types.ts";
import type { Spec } from "./types.ts";

type Annotated = Pick<Spec, "annotations">;

/** Whether the process keeps the caller's supplementary groups: `run.oci.keep_original_groups`, anything but `0`. */
export function keepsOriginalGroups({ annotations }: Annotated): boolean {
  const value = annotations?.["run.oci.keep_original_groups"];
  return value !== undefined && value !== "0";
}

/** Path of the socket that gets a pidfd of the init: `run.oci.pidfd_receiver`. */
export function pidfdReceiver({ annotations }: Annotated): string | undefined {
  return annotations?.["run.oci.pidfd_receiver"] || undefined;
}

/** Files to which hooks' output is appended. */
export interface HookFiles {
  stdout: string | undefined;
  stderr: string | undefined;
}

/** `run.oci.hooks.stdout` and `.stderr`, absolute; a relative one is taken from the bundle. */
export function hookFiles({ annotations }: Annotated, bundle: string): HookFiles {
  const file = (stream: "stdout" | "stderr"): string | undefined => {
    const path = annotations?.[`run.oci.hooks.${stream}`];
    return path ? resolve(bundle, path) : undefined;
  };
  return { stdout: file("stdout"), stderr: file("stderr") };
}

/**
 * A filter of system calls as the kernel takes it, in base64, in the place of `linux.seccomp`: `run.oci.seccomp_bpf_data`. An empty one is
 * given, too: nobody who wants a filter shall have none.
 */
export function rawSeccompFilter({ annotations }: Annotated): string | undefined {
  return annotations?.["run.oci.seccomp_bpf_data"];
}

/** Path of the socket that gets the seccomp listener, where `listenerPath` names none: `run.oci.seccomp.receiver`. */
export function seccompReceiver({ annotations }: Annotated): string | undefined {
  return annotations?.["run.oci.seccomp.receiver"] || undefined;
}

/** Whether a system call in the profile that nobody knows is an error: `run.oci.seccomp_fail_unknown_syscall`, anything but `0`. */
export function failsUnknownSyscall({ annotations }: Annotated): boolean {
  const value = annotations?.["run.oci.seccomp_fail_unknown_syscall"];
  return value !== undefined && value !== "0";
}

/** The kind of label that `linux.mountLabel` is: `run.oci.mount_context_type`, by default `context`. */
export function mountContextType({ annotations }: Annotated): ContextType {
  const value = annotations?.["run.oci.mount_context_type"];
  return CONTEXT_TYPES.find((type) => type === value) ?? "context";
}

/**
 * Where a mount of the v1 hierarchy `name=systemd` takes the place of what `mounts` says, for an old systemd on a host of
 * cgroup v2: `run.oci.systemd.force_cgroup_v1`.
 */
export function systemdHierarchyMount({ annotations }: Annotated): string | undefined {
  return annotations?.["run.oci.systemd.force_cgroup_v1"] || undefined;
}
