/**
 * The contract of a cgroup driver: all in which cgroup v1 (alone, or with v2 beside it on a hybrid machine), cgroup v2, and having no
 * cgroups differ. What they have in common is `Cgroup` in `manager.ts`, which asks its driver and nobody else.
 */
import type { Resources } from "../config/types.ts";
import type { DeviceFilter } from "./devices.ts";
import { DisabledDriver } from "./disabled.ts";
import { DriverV1 } from "./driver-v1.ts";
import { DriverV2 } from "./driver-v2.ts";
import type { CgroupHierarchy, CgroupLocation } from "./plan.ts";
import type { ResourceStep } from "./resources.ts";

export interface CgroupDriver {
  /** Whether the runtime may lack the right to have or limit cgroups. */
  readonly rootless: boolean;

  /**
   * The hierarchy that limits by a controller; `undefined` when the container has no cgroup in it. On v2 it is the only one.
   * @param controller the name that v1 gives it: `devices` and `freezer`, too, which v2 has without controllers
   */
  hierarchyOf(controller: string): CgroupHierarchy | undefined;

  /** Whether a container may be without its cgroup in a hierarchy, when that cannot be made or joined. */
  isOptional(hierarchy: CgroupHierarchy): boolean;

  /**
   * Makes the cgroup in one hierarchy, and sets what must be set before a process can join.
   * @param made gets the directories that were not there, outermost first, even when this throws
   * @throws {Error}
   */
  make(hierarchy: CgroupHierarchy, resources: Resources, made: string[]): void;

  /** What to write for all but the devices, in order. Pure. @throws {Error} for what this version cannot express */
  planWrites(resources: Resources): Exclude<ResourceStep, { kind: "devices" }>[];

  /** Lets the cgroup's processes use these devices and no others. @throws {Error} */
  restrictDevices(directory: string, filter: DeviceFilter): void;

  /** Kills every process by one write. @returns false where the kernel has no such file */
  killAtOnce(): boolean;
}

/** The driver for a location. */
export function driverOf(location: CgroupLocation): CgroupDriver {
  if (location.driver === "disabled") return new DisabledDriver();
  return location.mode === "v1" ? new DriverV1(location) : new DriverV2(location);
}
