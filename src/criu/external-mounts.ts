/**
 * Mounts whose contents are the host's. CRIU does not dump those: it notes a name for each, and is told when it restores what to bind by
 * that name.
 */
import type { Spec } from "../config/types.ts";
import { planProtectedPaths } from "../plan/protected-paths.ts";
import type { RootfsStep } from "../plan/rootfs.ts";

/** A mount of the host's in a container. */
export interface HostMount {
  /** Where it is to be in the container: symlinks in it are not resolved yet. */
  target: string;
  /** Path on the host. */
  source: string;
  /** Whether what is mounted in the source is bound, too. */
  tree: boolean;
}

/** One entry of CRIU's `ext_mnt`. Dumping: place in the container, name. Restoring: name, path on the host. */
export interface ExternalMount {
  key: string;
  val: string;
}

/** What stands in the images for the null device of the host as a mask of files, as with runc. */
const MASK = "/dev/null";

/** The mounts of the host's among the steps that make a container's mounts. */
export function hostMounts(steps: readonly RootfsStep[]): HostMount[] {
  return steps.flatMap((step): HostMount[] => {
    if (step.kind === "bind") return [{ target: step.target, source: step.source, tree: step.tree }];
    // A device that could not be made is a bind of the host's. One that was made is a file like others: no mount has its name then.
    if (step.kind !== "device-nodes" && step.kind !== "bind-devices") return [];
    const directory = step.directory === "/" ? "" : step.directory;
    return step.nodes.map(({ name }) => {
      const path = `${directory}/${name}`;
      return { target: path, source: path, tree: false };
    });
  });
}

/** Paths that may have a mask. */
export function maskedPaths({ linux = {} }: Spec): string[] {
  return planProtectedPaths(linux, "").flatMap((step) => (step.kind === "mask-paths" ? step.paths : []));
}

/**
 * What CRIU is told when it dumps.
 * @param mounts places of host's mounts, resolved: as `mountinfo` has them
 * @param masks places, resolved, of files that are masked by a null device that is not the container's own
 */
export function dumpedMounts(mounts: readonly string[], masks: readonly string[]): ExternalMount[] {
  return [
    ...[...new Set(mounts)].map((place) => ({ key: place, val: place })),
    ...[...new Set(masks)].map((place) => ({ key: place, val: MASK })),
  ];
}

/**
 * What CRIU is told when it restores.
 * @param mounts places, resolved, and what is to be bound there
 * @param mask a null device to mask files by: the host's would be one whose owner and mode a container could change
 */
export function restoredMounts(
  mounts: readonly { place: string; source: string }[],
  spec: Spec,
  mask: string,
): ExternalMount[] {
  const byPlace = new Map(mounts.map(({ place, source }) => [place, source]));
  if (maskedPaths(spec).length > 0) byPlace.set(MASK, mask);
  return [...byPlace].map(([key, val]) => ({ key, val }));
}
