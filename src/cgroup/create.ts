/** Making cgroups, with what each version wants done before a process can join. */

import type { Resources } from "../config/types.ts";
import { makeCgroup, readCgroupFile, writeCgroupFile } from "../sys/cgroupfs.ts";
import { ERRNO } from "../sys/errno.ts";
import { SyscallError } from "../sys/error.ts";
import { dirname } from "../sys/path-names.ts";
import type { CgroupHierarchy } from "./plan.ts";
import { writeResource } from "./resources.ts";
import { cpusetWrites, realtimeWrites } from "./resources-v1.ts";

/**
 * Makes a v1 cgroup and its missing ancestors.
 * @param made gets the directories that were not there, outermost first, even when this throws
 * @throws {SyscallError}
 */
export function createV1(hierarchy: CgroupHierarchy, resources: Resources, made: string[]): void {
  makePath(hierarchy, hierarchy.directory, made);
  const { directory } = hierarchy;
  if (hierarchy.controllers.includes("cpuset")) {
    // Whatever is set must be in the parent's, which may be new and empty itself.
    inheritCpuset(hierarchy, resources.cpu?.cpus ? dirname(directory) : directory, "cpuset.cpus");
    inheritCpuset(hierarchy, resources.cpu?.mems ? dirname(directory) : directory, "cpuset.mems");
    for (const step of cpusetWrites(resources.cpu)) {
      writeResource(step, (file, value) => writeCgroupFile(directory, file, value));
    }
  }
  if (hierarchy.controllers.includes("cpu") && resources.cpu !== undefined) {
    for (const step of realtimeWrites(resources.cpu)) {
      writeResource(step, (file, value) => writeCgroupFile(directory, file, value));
    }
  }
}

/**
 * Makes a v2 cgroup and its missing ancestors, and enables every controller for it.
 * @param domain whether resources are limited that only a cgroup of type "domain" has
 * @param made   as in {@link createV1}
 * @throws {SyscallError}
 * @throws {Error} when the cgroup is a threaded one and `domain` is asked for
 */
export function createV2(hierarchy: CgroupHierarchy, domain: boolean, made: string[]): void {
  const { mountPoint, directory } = hierarchy;
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
}

/** Makes a cgroup and its missing ancestors; see {@link createV1}. */
export function makePath(hierarchy: CgroupHierarchy, directory: string, made: string[]): void {
  let outcome = makeCgroup(directory);
  if (outcome === "no parent" && directory !== hierarchy.mountPoint) {
    makePath(hierarchy, dirname(directory), made);
    outcome = makeCgroup(directory);
  }
  if (outcome === "no parent") throw new SyscallError(`mkdir ${directory}`, ERRNO.ENOENT);
  if (outcome === "made") made.push(directory);
}

/** A new v1 cpuset is empty, and no process can join an empty one: it takes what its nearest ancestor has. */
function inheritCpuset(hierarchy: CgroupHierarchy, directory: string, file: string): void {
  if (directory === hierarchy.mountPoint) return;
  // Our own is empty, as are the ancestors that we made; one that was there already may be.
  if (directory !== hierarchy.directory && readCgroupFile(directory, file).trim() !== "") return;
  const parent = dirname(directory);
  inheritCpuset(hierarchy, parent, file);
  writeCgroupFile(directory, file, readCgroupFile(parent, file).trim());
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

/** @see cgroups(7), "Thread mode" */
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
