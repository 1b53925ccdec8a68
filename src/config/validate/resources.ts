/** `linux.resources`, as far as no kernel could take it; the rest is between the cgroups and the kernel. */
import { segment } from "../error.ts";
import type { DeviceRule, Resources } from "../types.ts";
import { refuseNoDevice } from "./linux.ts";
import type { Subject } from "./subject.ts";

export function validateResources(subject: Subject, resources: Resources): void {
  const at = "/linux/resources";
  const { devices, memory, cpu } = resources;
  if (devices) validateDeviceRules(subject, `${at}/devices`, devices);
  if (memory) validateMemory(subject, `${at}/memory`, memory);
  if (cpu) validateCpu(subject, `${at}/cpu`, cpu);
  if (resources.blockIO) validateBlockIo(subject, `${at}/blockIO`, resources.blockIO);
  for (const [device, { hcaHandles, hcaObjects }] of Object.entries(resources.rdma ?? {})) {
    if (hcaHandles !== undefined || hcaObjects !== undefined) continue;
    subject.refuse(`${at}/rdma/${segment(device)}`, undefined, "must have hcaHandles, hcaObjects or both");
  }
  for (const [file, value] of Object.entries(resources.unified ?? {})) {
    if (!file.includes("/") && file !== "" && file !== "." && file !== "..") continue;
    subject.refuse(
      `${at}/unified/${segment(file)}`,
      value,
      "the name must be that of a file of a cgroup, without slashes",
    );
  }
}

function validateDeviceRules(subject: Subject, at: string, devices: readonly DeviceRule[]): void {
  devices.forEach(({ type = "a", access = "" }, index) => {
    if (!["", "a", "b", "c"].includes(type)) {
      subject.refuse(`${at}/${index}/type`, type, "invalid cgroup device type: must be a, b or c");
    }
    if (access === "")
      subject.refuse(`${at}/${index}/access`, undefined, `device access at ${index} field cannot be empty`);
    if (!/^[rwma]*$/.test(access)) {
      subject.refuse(`${at}/${index}/access`, access, "must be of the letters r (read), w (write) and m (mknod)");
    }
    if (access.includes("a"))
      subject.warn(`${at}/${index}/access`, access, "the letter a means nothing: only r, w and m do");
    for (const name of ["major", "minor"] as const) {
      const number = devices[index]?.[name] ?? -1;
      // The kernel's comparison has 32 bits: the rule would be for another device. Only -1 stands for all of them.
      if (number < -1 || number > 0xffffffff)
        subject.refuse(`${at}/${index}/${name}`, number, "must be -1, for any, or below 2^32");
    }
  });
}

function validateBlockIo(subject: Subject, at: string, blockIO: Resources["blockIO"] & object): void {
  for (const list of [
    "weightDevice",
    "throttleReadBpsDevice",
    "throttleWriteBpsDevice",
    "throttleReadIOPSDevice",
    "throttleWriteIOPSDevice",
  ] as const) {
    blockIO[list]?.forEach((device, index) => void refuseNoDevice(subject, `${at}/${list}/${index}`, device));
  }
  blockIO.weightDevice?.forEach(({ weight, leafWeight }, index) => {
    if (weight !== undefined || leafWeight !== undefined) return;
    subject.refuse(`${at}/weightDevice/${index}`, undefined, "must have a weight, a leafWeight or both");
  });
}

function validateMemory(subject: Subject, at: string, memory: Resources["memory"] & object): void {
  const { limit = 0, swap = 0, swappiness = 0, kernel, kernelTCP } = memory;
  if (limit > 0 && swap > 0 && swap < limit) {
    subject.refuse(`${at}/swap`, swap, `is memory and swap together: must not be below the memory limit ${limit}`);
  }
  if (swappiness > 100) subject.refuse(`${at}/swappiness`, swappiness, "must be from 0 to 100");
  if (kernel !== undefined) {
    subject.warn(`${at}/kernel`, kernel, "is ignored: the kernel has no such limit any more");
  }
  if (kernelTCP !== undefined)
    subject.warn(`${at}/kernelTCP`, kernelTCP, "is set on cgroup v1 only: v2 has no such limit");
}

function validateCpu(subject: Subject, at: string, cpu: Resources["cpu"] & object): void {
  const { quota = 0, burst = 0, idle = 0 } = cpu;
  if (quota > 0 && burst > quota) subject.refuse(`${at}/burst`, burst, `must not exceed the quota ${quota}`);
  if (idle !== 0 && idle !== 1) subject.refuse(`${at}/idle`, idle, "must be 0 or 1");
}
