/** Making a container's cgroup, and limiting it. Apart from `manager.ts`, since most commands do neither. */

import type { Device, Resources } from "../config/types.ts";
import { removeCgroup } from "../sys/cgroupfs.ts";
import { hasErrno } from "../sys/error.ts";
import { applyStep } from "./apply.ts";
import { createV1, createV2, makePath } from "./create.ts";
import { Cgroup } from "./manager.ts";
import type { CgroupHierarchy, CgroupLocation } from "./plan.ts";
import { needsControllers, planResources } from "./resources.ts";

/** Opens the cgroup that a location names, to make it. */
export function openNewCgroup(location: CgroupLocation): NewCgroup {
  return new NewCgroup(location);
}

/** A container's cgroup that can be made and limited. */
export class NewCgroup extends Cgroup {
  /**
   * Makes the cgroup, and sets what must be set before a process can join. What it made is gone again when it throws.
   * Hierarchies that a runtime without privilege cannot write to are left out of its location.
   * @param only the version of the hierarchies to make it in; both, if not given
   * @throws {Error} "unable to apply cgroup configuration", with the failed call as the cause
   */
  create(resources: Resources = {}, only?: 1 | 2): void {
    if (this.location.driver === "disabled") return;
    const made: string[] = [];
    try {
      const hierarchies = this.hierarchies.filter(
        (hierarchy) => (only ?? hierarchy.version) !== hierarchy.version || this.#createIn(hierarchy, resources, made),
      );
      this.location = { ...this.location, hierarchies };
    } catch (error) {
      for (const directory of made.reverse()) removeCgroup(directory);
      throw new Error(`unable to apply cgroup configuration: ${(error as Error).message}`, { cause: error });
    }
  }

  /**
   * Sets limits.
   * @param options `linux.devices`, and `skipDevices` as `planResources` takes it
   * @throws {Error} when a limit cannot be set
   */
  setResources(resources: Resources, options: { devices?: readonly Device[]; skipDevices?: boolean } = {}): void {
    const location = this.location;
    if (location.driver === "disabled") {
      if (needsControllers(resources)) throw new Error("cannot set limits without cgroups");
      return;
    }
    const version = location.mode === "v1" ? 1 : 2;
    for (const step of planResources(resources, { ...options, version })) applyStep(step, location);
  }

  /** @returns false when the hierarchy is to be left out */
  #createIn(hierarchy: CgroupHierarchy, resources: Resources, made: string[]): boolean {
    const unified = this.location.driver === "cgroupfs" && this.location.mode === "v2";
    const limits = unified && needsControllers(resources);
    try {
      if (unified) createV2(hierarchy, limits, made);
      else if (hierarchy.version === 1) createV1(hierarchy, resources, made);
      else makePath(hierarchy, hierarchy.directory, made);
      return true;
    } catch (error) {
      if (!this.isOptional(hierarchy) || !hasErrno(error, "EPERM", "EACCES", "EROFS")) throw error;
      if (!limits) return false;
      const rule = "rootless needs no limits + no cgrouppath when no permission is granted for cgroups";
      throw new Error(`${rule}: ${(error as Error).message}`, { cause: error });
    }
  }
}
