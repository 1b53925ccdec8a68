/** What stands by itself in `linux`: devices, the cgroup's path, paths to hide, labels. */
import type { Integer64 } from "../types.ts";
import { refuseNul } from "./root.ts";
import type { Subject } from "./subject.ts";

/** Bits of the kernel's device numbers. @see makedev(3), linux/kdev_t.h */
const MAJORS = 2 ** 12;
const MINORS = 2 ** 20;

/** Refuses numbers that no device has: of those that need more bits than the kernel keeps it would take the lower ones. */
export function refuseNoDevice(
  subject: Subject,
  at: string,
  { major = 0, minor = 0 }: { major?: Integer64; minor?: Integer64 },
): void {
  const refuse = (name: string, value: Integer64, end: number) =>
    subject.refuse(`${at}/${name}`, value, `must be from 0 to ${end - 1}`);
  if (major < 0 || major >= MAJORS) refuse("major", major, MAJORS);
  if (minor < 0 || minor >= MINORS) refuse("minor", minor, MINORS);
}

export function validateLinux(subject: Subject): void {
  const { devices = [], cgroupsPath, mountLabel } = subject.linux;
  devices.forEach((device, index) => {
    const at = `/linux/devices/${index}`;
    refuseNul(subject, `${at}/path`, device.path);
    if (device.type === "p") return;
    for (const name of ["major", "minor"] as const) {
      if (device[name] === undefined)
        subject.refuse(`${at}/${name}`, undefined, `is missing: a device of type ${device.type} has one`);
    }
    refuseNoDevice(subject, at, device);
  });
  refuseNul(subject, "/linux/cgroupsPath", cgroupsPath);
  for (const name of ["maskedPaths", "readonlyPaths"] as const) {
    subject.linux[name]?.forEach((path, index) => {
      const at = `/linux/${name}/${index}`;
      refuseNul(subject, at, path);
      // Runtimes have always taken them so, without a word; whoever asks what is wrong is told.
      if (!path.startsWith("/") && !subject.asker.forCreate) {
        subject.warn(at, path, "is not absolute, and is taken from /");
      }
    });
  }
  if (mountLabel && mountLabel.split(":").length < 3) {
    subject.refuse("/linux/mountLabel", mountLabel, "must have the form user:role:type[:level]");
  }
}
