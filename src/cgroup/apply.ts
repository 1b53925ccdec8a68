/** Setting limits: carrying out the steps of `planResources`. */
import { attachDeviceProgram, loadDeviceProgram } from "../sys/bpf.ts";
import { readCgroupFile, writeCgroupFile, writeCgroupLines } from "../sys/cgroupfs.ts";
import { hasErrno } from "../sys/error.ts";
import { O, open } from "../sys/fd.ts";
import { assembleDeviceProgram } from "./device-program.ts";
import { type DeviceFilter, deviceChanges, parseDevicesList, sameFilter } from "./devices.ts";
import type { CgroupHierarchy, CgroupLocation } from "./plan.ts";
import { type ResourceStep, writeResource } from "./resources.ts";

type FsLocation = Extract<CgroupLocation, { driver: "cgroupfs" }>;

/** @throws {Error} when a limit cannot be set */
export function applyStep(step: ResourceStep, location: FsLocation): void {
  if (step.kind === "devices") return applyDevices(step.filter, location);
  const hierarchy = hierarchyOf(step.controller, location);
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

function hierarchyOf(controller: string, { mode, hierarchies }: FsLocation): CgroupHierarchy | undefined {
  return hierarchies.find(({ version, controllers }) =>
    mode === "v2" ? version === 2 : version === 1 && controllers.includes(controller),
  );
}

function applyDevices(filter: DeviceFilter, location: FsLocation): void {
  const hierarchy = hierarchyOf("devices", location);
  try {
    if (hierarchy === undefined) throw new Error("cannot restrict devices: container could not join or create cgroup");
    if (hierarchy.version === 1) setDevicesV1(hierarchy.directory, filter);
    else setDevicesV2(hierarchy.directory, filter);
  } catch (error) {
    // Without privilege devices can be neither made nor restricted; the other limits still count.
    if (!location.rootless) throw error;
  }
}

function setDevicesV1(directory: string, filter: DeviceFilter): void {
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

function setDevicesV2(directory: string, filter: DeviceFilter): void {
  using program = loadDeviceProgram(assembleDeviceProgram(filter));
  using cgroup = open(directory, O.RDONLY | O.DIRECTORY);
  attachDeviceProgram(cgroup.number, program.number);
}

/** Says what the kernel's errno leaves open. */
function explained(
  error: unknown,
  step: Extract<ResourceStep, { kind: "write" }>,
  hierarchy: CgroupHierarchy,
): unknown {
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
