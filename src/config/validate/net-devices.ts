/** `linux.netDevices`. */
import { segment } from "../error.ts";
import type { Linux } from "../types.ts";
import type { Subject } from "./subject.ts";

export function validateNetDevices(subject: Subject, netDevices: Linux["netDevices"] & object): void {
  const devices = Object.entries(netDevices);
  const at = "/linux/netDevices";
  const targets = new Map<string, string>();
  for (const [name, { name: renamed }] of devices) {
    const pointer = `${at}/${segment(name)}`;
    if (!isInterfaceName(name))
      subject.refuse(pointer, undefined, `invalid network device name ${JSON.stringify(name)}`);
    if (renamed && !isInterfaceName(renamed)) {
      subject.refuse(`${pointer}/name`, renamed, `invalid network device name ${JSON.stringify(renamed)}`);
    }
    const target = renamed || name;
    const other = targets.get(target);
    // The kernel puts a free number for %d.
    if (other !== undefined && !target.includes("%d")) {
      subject.refuse(pointer, undefined, `would be called ${target} in the container, as ${other} is`);
    }
    targets.set(target, name);
  }
  if (devices.length === 0) return;
  if (subject.namespace("network") === undefined) {
    subject.refuseToCreate(at, undefined, "unable to move network devices without a NET namespace");
  }
  if (subject.asker.euid !== 0 || subject.asker.inUserNamespace) {
    subject.refuseToCreate(at, undefined, "network devices are not supported for rootless containers");
  }
}

/** What the kernel takes for a name: at most 15 bytes. @see net/core/dev.c, dev_valid_name */
function isInterfaceName(name: string): boolean {
  const length = Buffer.byteLength(name);
  return length > 0 && length < 16 && name !== "." && name !== ".." && !/[/:\s\0]/.test(name);
}
