/** Setting limits: carrying out the steps of `planResources`. */
import { childCgroups, readCgroupFile, writeCgroupFile } from "../sys/cgroupfs.ts";
import { hasErrno } from "../sys/error.ts";
import { exists } from "../sys/file.ts";
import type { CgroupDriver } from "./driver.ts";
import type { CgroupHierarchy } from "./plan.ts";
import { type ResourceStep, type WriteStep, writeResource } from "./resources.ts";

/** @throws {Error} when a limit cannot be set */
export function applyStep(step: ResourceStep, driver: CgroupDriver): void {
  if (step.kind === "devices") return applyDevices(step.filter, driver);
  const hierarchy = driver.hierarchyOf(step.controller);
  if (hierarchy === undefined) {
    throw new Error(`cannot set ${step.controller} limit: container could not join or create cgroup`);
  }
  const { directory } = hierarchy;
  if (step.kind === "require-usage-below") {
    const usage = BigInt(readCgroupFile(directory, step.file).trim());
    if (usage >= step.limit) throw new Error(`rejecting ${step.what} ${step.limit} <= usage ${usage}`);
    return;
  }
  try {
    writeResource(step, (file, value) => writeCgroupFile(directory, file, value));
  } catch (error) {
    throw explained(error, step, hierarchy);
  }
}

function applyDevices(filter: Extract<ResourceStep, { kind: "devices" }>["filter"], driver: CgroupDriver): void {
  const hierarchy = driver.hierarchyOf("devices");
  try {
    if (hierarchy === undefined) throw new Error("cannot restrict devices: container could not join or create cgroup");
    driver.restrictDevices(hierarchy.directory, filter);
  } catch (error) {
    // Without privilege devices can be neither made nor restricted; the other limits still count.
    if (!driver.rootless) throw childrenInTheWay(error, hierarchy);
  }
}

/** Says what the kernel's errno leaves open. */
function explained(error: unknown, step: WriteStep, hierarchy: CgroupHierarchy): unknown {
  const { version, directory } = hierarchy;
  if (version === 1 && hasErrno(error, "EINVAL")) {
    const message = swapBelowMemory(step, directory);
    return message === null ? error : new Error(message, { cause: error });
  }
  if (version === 1 && hasErrno(error, "ENOENT") && exists(directory)) {
    const files = [step.file, ...(step.otherwise ? [step.otherwise.file] : [])].join(" nor ");
    const message = `cannot set ${step.file} to ${JSON.stringify(step.value)}: this kernel has no ${files}`;
    return new Error(message, { cause: error });
  }
  if (step.file === "memory.limit_in_bytes" && hasErrno(error, "EBUSY")) {
    const [usage, peak] = ["memory.usage_in_bytes", "memory.max_usage_in_bytes"].map((file) =>
      readCgroupFile(directory, file).trim(),
    );
    const message = `unable to set memory limit to ${step.value} (current usage: ${usage}, peak usage: ${peak})`;
    return new Error(message, { cause: error });
  }
  if (version === 2 && hasErrno(error, "ENOENT") && step.controller !== "cgroup") {
    const enabled = readCgroupFile(directory, "cgroup.controllers").split(/\s+/);
    if (!enabled.includes(step.controller)) {
      const message = `cannot set ${step.file} to ${JSON.stringify(step.value)}: controller "${step.controller}" not available`;
      return new Error(`${message} in ${directory}`, { cause: error });
    }
  }
  return error;
}

/** Why the kernel has refused one of the two limits of memory, which it compares; `null` where they are not the reason. */
function swapBelowMemory({ file, value }: WriteStep, directory: string): string | null {
  const memoryFile = "memory.limit_in_bytes";
  const togetherFile = "memory.memsw.limit_in_bytes";
  if (file !== memoryFile && file !== togetherFile) return null;
  // No limit is -1 when it is written, and when it is read the largest multiple of a page.
  const limitOf = (name: string) => {
    const bytes = BigInt(name === file ? value : readCgroupFile(directory, name).trim());
    return bytes === -1n ? 1n << 63n : bytes;
  };
  const [memory, together] = [limitOf(memoryFile), limitOf(togetherFile)];
  if (memory < 0n || together < 0n || together >= memory) return null;
  const words = memory >= 1n << 62n ? "and there is none of memory" : `and that of memory is ${memory}`;
  return `memory+swap limit should be >= memory limit: it is ${together}, ${words}`;
}

/** On v1 the kernel neither takes away nor gives what is allowed by default while there are cgroups below. @see linux/security/device_cgroup.c */
function childrenInTheWay(error: unknown, hierarchy: CgroupHierarchy | undefined): unknown {
  if (hierarchy?.version !== 1 || !hasErrno(error, "EINVAL")) return error;
  const { directory } = hierarchy;
  const [child] = childCgroups(directory) ?? [];
  if (child === undefined) return error;
  const message = `${(error as Error).message} (there are cgroups below ${directory}, ${child} for one: remove them, or use another cgroup)`;
  return new Error(message, { cause: error });
}
