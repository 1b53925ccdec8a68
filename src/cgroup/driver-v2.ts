/** cgroup v2: one hierarchy for all. @see linux/Documentation/admin-guide/cgroup-v2.rst */

import type { Resources } from "../config/types.ts";
import { attachDeviceProgram, loadDeviceProgram } from "../sys/bpf.ts";
import { readCgroupFile, writeCgroupFile } from "../sys/cgroupfs.ts";
import { hasErrno } from "../sys/error.ts";
import { O, open } from "../sys/fd.ts";
import { dirname } from "../sys/path-names.ts";
import { assembleDeviceProgram } from "./device-program.ts";
import type { DeviceFilter } from "./devices.ts";
import type { CgroupDriver } from "./driver.ts";
import { makePath } from "./make-path.ts";
import type { CgroupHierarchy, FsLocation } from "./plan.ts";
import { writeResource } from "./resources.ts";
import { cpusetWrites } from "./resources-shared.ts";
import { needsControllers, planV2Writes } from "./resources-v2.ts";

export class DriverV2 implements CgroupDriver {
  readonly #location: FsLocation;

  constructor(location: FsLocation) {
    this.#location = location;
  }

  get rootless(): boolean {
    return this.#location.rootless;
  }

  hierarchyOf(): CgroupHierarchy | undefined {
    return this.#location.hierarchies[0];
  }

  isOptional(): boolean {
    return this.#location.rootless && !this.#location.explicit;
  }

  /** Makes it and its missing ancestors, and enables every controller for it. */
  make(hierarchy: CgroupHierarchy, resources: Resources, made: string[]): void {
    const { mountPoint, directory } = hierarchy;
    const domain = needsControllers(resources);
    const controllers = readCgroupFile(mountPoint, "cgroup.controllers").split(/\s+/).filter(Boolean);
    const path = [directory];
    while (path[0] !== mountPoint) path.unshift(dirname(path[0] as string));
    for (const current of path) {
      if (current !== mountPoint) {
        makePath(hierarchy, current, made);
        settleType(current, domain);
      }
      if (current !== directory) enableControllers(current, controllers);
    }
    bindToCpus(directory, resources);
  }

  planWrites(resources: Resources): ReturnType<typeof planV2Writes> {
    return planV2Writes(resources);
  }

  restrictDevices(directory: string, filter: DeviceFilter): void {
    using program = loadDeviceProgram(assembleDeviceProgram(filter));
    using cgroup = open(directory, O.RDONLY | O.DIRECTORY);
    attachDeviceProgram(cgroup.number, program.number);
  }

  /** Before Linux 5.14 there is no `cgroup.kill`, and a threaded cgroup does not take it: it has threads, not processes. */
  killAtOnce(): boolean {
    const [hierarchy] = this.#location.hierarchies;
    if (hierarchy === undefined) return false;
    try {
      writeCgroupFile(hierarchy.directory, "cgroup.kill", "1");
      return true;
    } catch (error) {
      // systemd removes a cgroup as soon as its last process has ended, which may be now.
      if (hasErrno(error, "ENOENT", "ENODEV", "EOPNOTSUPP")) return false;
      throw error;
    }
  }
}

/**
 * The CPUs that the init is born on, as on cgroup v1: where they are set later, the kernel has granted it a deadline that they cannot keep.
 * What cannot be set, the limits will tell of.
 * @see sched(7), "SCHED_DEADLINE"
 */
function bindToCpus(directory: string, { cpu }: Resources): void {
  for (const step of cpusetWrites(cpu)) {
    try {
      writeResource(step, (file, value) => writeCgroupFile(directory, file, value));
    } catch {}
  }
}

function enableControllers(directory: string, controllers: readonly string[]): void {
  if (controllers.length === 0) return;
  const enable = (names: readonly string[]) => {
    writeCgroupFile(directory, "cgroup.subtree_control", names.map((name) => `+${name}`).join(" "));
  };
  try {
    enable(controllers);
  } catch {
    // All or nothing: so one by one. Those that a limit needs and that are missing, the limit will tell of.
    for (const controller of controllers) {
      try {
        enable([controller]);
      } catch {}
    }
  }
}

/**
 * @param domain whether resources are limited that only a cgroup of type "domain" has
 * @throws {Error} when the cgroup is a threaded one and `domain` is asked for
 * @see cgroups(7), "Thread mode"
 */
function settleType(directory: string, domain: boolean): void {
  const type = readCgroupFile(directory, "cgroup.type").trim();
  if (type === "domain") return;
  if (domain) {
    const state = type === "domain invalid" ? "an invalid state" : `${type} mode`;
    throw new Error(`cannot enter cgroupv2 "${directory}" with domain controllers -- it is in ${state}`);
  }
  // Below a threaded cgroup nothing else can hold processes.
  if (type === "domain invalid") writeCgroupFile(directory, "cgroup.type", "threaded");
}
