/** What stands by itself in `linux`: devices, the cgroup's path, paths to hide, labels. */
import { refuseNul } from "./root.ts";
import type { Subject } from "./subject.ts";

/** Bits of the kernel's device numbers. @see makedev(3), linux/kdev_t.h */
const MAJORS = 2 ** 12;
const MINORS = 2 ** 20;

export function validateLinux(subject: Subject): void {
  const { devices = [], cgroupsPath, mountLabel } = subject.linux;
  devices.forEach(({ type, path, major = 0, minor = 0 }, index) => {
    const at = `/linux/devices/${index}`;
    refuseNul(subject, `${at}/path`, path);
    if (type === "p") return;
    if (major < 0 || major >= MAJORS) subject.refuse(`${at}/major`, major, `must be from 0 to ${MAJORS - 1}`);
    if (minor < 0 || minor >= MINORS) subject.refuse(`${at}/minor`, minor, `must be from 0 to ${MINORS - 1}`);
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
