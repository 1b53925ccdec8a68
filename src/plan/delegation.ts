/** Whose the container's cgroup is. @see runtime-spec, config-linux.md, "Cgroup ownership" */

import { parseMountOptions } from "../config/mount-options.ts";
import type { IdMapping, Spec } from "../config/types.ts";
import type { CgroupLocation } from "./cgroups.ts";
import { cleanPath } from "./paths.ts";
import type { StepBase } from "./step.ts";

/** Gives a v2 cgroup to the user who runs the container's process, as far as the kernel lets it be delegated. */
export type DelegationStep = StepBase & {
  kind: "delegate-cgroup";
  /** Absolute path of the cgroup. */
  directory: string;
  /** On the host. */
  uid: number;
  /** Whether it may fail: without privilege a cgroup cannot be given away. */
  optional: boolean;
};

/**
 * Only cgroup v2 can be delegated safely, and only what the container sees as a hierarchy of its own, mounted to be written to, is
 * its own to manage. Root's is root's already.
 */
export function planDelegation(spec: Spec, cgroup: CgroupLocation): DelegationStep[] {
  if (cgroup.driver === "disabled" || cgroup.mode !== "v2") return [];
  const namespaces = spec.linux?.namespaces ?? [];
  if (!namespaces.some(({ type, path }) => type === "cgroup" && !path)) return [];
  const mount = (spec.mounts ?? []).findIndex(isWritableHierarchy);
  const uid = hostUser(spec);
  const directory = cgroup.hierarchies[0]?.directory;
  if (mount < 0 || uid === null || uid === 0 || directory === undefined) return [];
  return [{ kind: "delegate-cgroup", pointer: `/mounts/${mount}`, directory, uid, optional: cgroup.rootless }];
}

function isWritableHierarchy({ source, destination, options }: NonNullable<Spec["mounts"]>[number]): boolean {
  return (
    source === "cgroup" &&
    cleanPath(destination) === "/sys/fs/cgroup" &&
    !parseMountOptions(options).flags.includes("ro")
  );
}

/** The user of the container's process, on the host; `null` where that is not to be known, or there is none. */
function hostUser({ process, linux = {} }: Spec): number | null {
  const uid = process?.user?.uid ?? 0;
  const user = linux.namespaces?.find(({ type }) => type === "user");
  if (user === undefined) return uid;
  if (user.path) return null;
  const found = (linux.uidMappings ?? []).find((map) => map.containerID <= uid && uid < end(map));
  return found === undefined ? null : found.hostID + uid - found.containerID;
}

function end({ containerID, size }: IdMapping): number {
  return containerID + size;
}
