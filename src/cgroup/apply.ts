/** Setting limits: carrying out the steps of `planResources`. */
import { readCgroupFile, writeCgroupFile } from "../sys/cgroupfs.ts";
import { hasErrno } from "../sys/error.ts";
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
    if (!driver.rootless) throw error;
  }
}

/** Says what the kernel's errno leaves open. */
function explained(error: unknown, step: WriteStep, hierarchy: CgroupHierarchy): unknown {
  const { version, directory } = hierarchy;
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
