/** The container's root directory: making it a mount, making it `/`, and what of it may be written to in the end. */

import { type Propagation, parsePropagation, propagationName } from "../config/mount-options.ts";
import type { Spec } from "../config/types.ts";
import type { Describers, StepBase } from "./step.ts";

export type RootStep =
  /** Modes given to what is made are the modes it gets; set back before anyone's hooks run. */
  | (StepBase & { kind: "set-umask"; mask: number })
  /** Of `/`, whatever that is at the time. */
  | (StepBase & { kind: "set-root-propagation"; propagation: Propagation })
  /** Takes the mount that holds the rootfs out of its peer group: what is mounted in the rootfs must not reach the host. */
  | (StepBase & { kind: "isolate-rootfs"; path: string; type: "private" | "slave" })
  /** Makes the rootfs a mount, whatever it was, and the root directory of the steps that follow. */
  | (StepBase & { kind: "bind-rootfs"; path: string; propagation: "private" | "slave" })
  /** Makes it the root directory of the steps that follow as it is: no mount of the host's may change. */
  | (StepBase & { kind: "enter-rootfs"; path: string })
  | (StepBase & { kind: "pivot-root" })
  /** Moves the rootfs over `/`, first unmounting the host's procfs and sysfs, which would let mounts of new ones pass. */
  | (StepBase & { kind: "move-root"; path: string })
  | (StepBase & { kind: "chroot" })
  /** Standard streams open on the host's `/dev/null` are opened again on the container's. */
  | (StepBase & { kind: "reopen-null" })
  /** `mounted`: the number of the mount among those that are kept; `null` for the root. */
  | (StepBase & { kind: "remount-readonly"; path: string; mounted: number | null });

/** How `/` is made to propagate in the new mount namespace, before anything is mounted. */
export function rootPropagation(spec: Spec): Propagation {
  return parsePropagation(spec.linux?.rootfsPropagation ?? "") ?? { type: "slave", recursive: true };
}

/** Plans the root as a mount of its own. */
export function planRootMount(spec: Spec, path: string): RootStep[] {
  const propagation = rootPropagation(spec);
  const pointer = "/linux/rootfsPropagation";
  const type = propagation.type === "slave" && spec.linux?.rootfsPropagation ? "slave" : "private";
  const steps: RootStep[] = [{ kind: "set-root-propagation", pointer, propagation }];
  // With the whole tree slave or private nothing is shared any more, and pivot_root(2) finds what it wants.
  const nothingShared = propagation.recursive && propagation.type !== "shared";
  if (!nothingShared) steps.push({ kind: "isolate-rootfs", pointer, path, type });
  return [...steps, { kind: "bind-rootfs", pointer: "/root/path", path, propagation: type }];
}

/** Plans the change of root. */
export function planRootChange(spec: Spec, path: string, how: "pivot" | "move" | "chroot"): RootStep[] {
  const pointer = "/root/path";
  if (how === "chroot") return [{ kind: "chroot", pointer }];
  const change: RootStep = how === "move" ? { kind: "move-root", pointer, path } : { kind: "pivot-root", pointer };
  const propagation = rootPropagation(spec);
  // A mount that is private or a slave already stays so in its new place.
  if (propagation.type === "private" || propagation.type === "slave") return [change];
  return [change, { kind: "set-root-propagation", pointer: "/linux/rootfsPropagation", propagation }];
}

export const describeRoot: Describers<RootStep> = {
  "set-umask": ({ mask }) => `set the umask to ${mask.toString(8).padStart(3, "0")}`,
  "set-root-propagation": ({ propagation }) => `make the mount of / ${propagationName(propagation)}`,
  "isolate-rootfs": ({ path, type }) => `make the mount that holds ${path} ${type}`,
  "bind-rootfs": ({ path, propagation }) => `make the rootfs ${path} a mount of its own [rbind,${propagation}]`,
  "enter-rootfs": ({ path }) => `enter the rootfs ${path}`,
  "pivot-root": () => "make the rootfs the root, and let go of the host's",
  "move-root": () => "move the rootfs over the host's root",
  chroot: () => "make the rootfs the root directory",
  "reopen-null": () => "open the container's /dev/null in place of the host's",
  "remount-readonly": ({ path }) => `make the mount on rootfs${path} read-only`,
};
