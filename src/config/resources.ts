/** The limits that a configuration asks for, where their meaning depends on the version of the spec that it is written for. */
import type { Resources, Spec } from "./types.ts";

/**
 * The resources of a configuration. Before 1.3.0 a `pids.limit` of 0 said nothing: engines that could not leave the member out
 * wrote it for "no limit", and Podman still does. Since 1.3.0, where it may be left out, it is a limit.
 * @param spec whose `ociVersion` is valid
 * @see runtime-spec, config-linux.md, "PIDs"
 */
export function effectiveResources({ ociVersion, linux }: Spec): Resources {
  const { resources = {} } = linux ?? {};
  if (resources.pids?.limit !== 0 || !isBefore(ociVersion, 1, 3)) return resources;
  const { pids: _, ...others } = resources;
  return others;
}

/** Whether a version comes before `major.minor.0`, as all of its pre-releases do. @see SemVer 2.0, section 11 */
function isBefore(version: string, major: number, minor: number): boolean {
  const [numbers = "", preRelease] = (version.split("+")[0] as string).split(/-(.*)/);
  const [itsMajor = 0, itsMinor = 0, itsPatch = 0] = numbers.split(".").map(Number);
  if (itsMajor !== major) return itsMajor < major;
  if (itsMinor !== minor) return itsMinor < minor;
  return itsPatch === 0 && preRelease !== undefined;
}
