/** cgroup v1: a hierarchy a controller or two. On a hybrid machine the v2 one besides, which limits nothing. */

import type { Resources } from "../config/types.ts";
import { readCgroupFile, writeCgroupFile, writeCgroupLines } from "../sys/cgroupfs.ts";
import { exists } from "../sys/file.ts";
import { dirname } from "../sys/path-names.ts";
import { type DeviceFilter, deviceChanges, parseDevicesList, sameFilter } from "./devices.ts";
import type { CgroupDriver } from "./driver.ts";
import { makePath } from "./make-path.ts";
import type { CgroupHierarchy, FsLocation } from "./plan.ts";
import { type WriteStep, writeResource } from "./resources.ts";
import { cpusetWritesV1, planV1Writes, realtimeWrites } from "./resources-v1.ts";

export class DriverV1 implements CgroupDriver {
  readonly #location: FsLocation;

  constructor(location: FsLocation) {
    this.#location = location;
  }

  get rootless(): boolean {
    return this.#location.rootless;
  }

  hierarchyOf(controller: string): CgroupHierarchy | undefined {
    const { hierarchies } = this.#location;
    const found = hierarchies.find(({ controllers }) => controllers.includes(controller));
    // Every v2 cgroup can be frozen, on a hybrid machine, too.
    return found ?? (controller === "freezer" ? hierarchies.find(({ version }) => version === 2) : undefined);
  }

  /** Hierarchies that limit nothing; and all of them for a runtime that may lack the right, unless asked for. */
  isOptional({ version, controllers }: CgroupHierarchy): boolean {
    const limitsNothing = version === 2 || controllers.every((name) => name.startsWith("name=") || name === "misc");
    return limitsNothing || (this.#location.rootless && !this.#location.explicit);
  }

  make(hierarchy: CgroupHierarchy, resources: Resources, made: string[]): void {
    const { directory, controllers } = hierarchy;
    makePath(hierarchy, directory, made);
    const write = (step: WriteStep) => writeResource(step, (file, value) => writeCgroupFile(directory, file, value));
    if (controllers.includes("cpuset")) {
      // Whatever is set must be in the parent's, which may be new and empty itself.
      const prefix = exists(`${hierarchy.mountPoint}/cpuset.cpus`) ? "cpuset." : "";
      inheritCpuset(hierarchy, resources.cpu?.cpus ? dirname(directory) : directory, `${prefix}cpus`);
      inheritCpuset(hierarchy, resources.cpu?.mems ? dirname(directory) : directory, `${prefix}mems`);
      cpusetWritesV1(resources.cpu).forEach(write);
    }
    if (controllers.includes("cpu") && resources.cpu !== undefined) realtimeWrites(resources.cpu).forEach(write);
  }

  planWrites(resources: Resources): WriteStep[] {
    return planV1Writes(resources);
  }

  restrictDevices(directory: string, filter: DeviceFilter): void {
    const list = () => readCgroupFile(directory, "devices.list");
    let written = "";
    for (const { allow, lines } of deviceChanges(parseDevicesList(list()), filter)) {
      writeCgroupLines(directory, allow ? "devices.allow" : "devices.deny", lines);
      written = `${lines.join("\n")}\n`;
    }
    // The kernel ignores some rules in silence. What a new cgroup is allowed it lists as it was written.
    const result = list();
    if (result === written || sameFilter(parseDevicesList(result), filter)) return;
    throw new Error("resulting devices cgroup doesn't precisely match target");
  }

  killAtOnce(): boolean {
    return false;
  }
}

/** A new cpuset is empty, and no process can join an empty one: it takes what its nearest ancestor has. */
function inheritCpuset(hierarchy: CgroupHierarchy, directory: string, file: string): void {
  if (directory === hierarchy.mountPoint) return;
  // Our own is empty, as are the ancestors that we made; one that was there already may be.
  if (directory !== hierarchy.directory && readCgroupFile(directory, file).trim() !== "") return;
  const parent = dirname(directory);
  inheritCpuset(hierarchy, parent, file);
  writeCgroupFile(directory, file, readCgroupFile(parent, file).trim());
}
