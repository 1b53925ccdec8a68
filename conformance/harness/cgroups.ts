/** Where the machine's cgroups are, and those of a process, as the suite sees them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A mounted hierarchy. */
export interface Hierarchy {
  version: 1 | 2;
  /** On v1 the controllers in it, or `name=systemd`; options of the mount are among them. */
  names: readonly string[];
  mountPoint: string;
}

/** The hierarchies that are mounted, in the order of `/proc/self/mountinfo`. */
export function hierarchies(): Hierarchy[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .flatMap((line): Hierarchy[] => {
      const type = / - cgroup(2?) /.exec(line);
      if (type === null) return [];
      const fields = line.split(" ");
      return [
        { version: type[1] === "2" ? 2 : 1, names: fields.at(-1)?.split(",") ?? [], mountPoint: fields[4] ?? "" },
      ];
    });
}

/** A cgroup that a process is in. */
export interface ProcessCgroup {
  version: 1 | 2;
  /** On v1 the hierarchy's controllers, or `name=systemd`. */
  names: readonly string[];
  /** Below the mount point. */
  path: string;
  directory: string;
}

/** The cgroups of a process, of those hierarchies that are mounted. */
export function cgroupsOf(pid: number): ProcessCgroup[] {
  const mounted = hierarchies();
  return readFileSync(`/proc/${pid}/cgroup`, "utf8")
    .trim()
    .split("\n")
    .flatMap((line): ProcessCgroup[] => {
      const [number, list = "", ...rest] = line.split(":");
      const version = number === "0" ? 2 : 1;
      const names = list.split(",");
      const hierarchy = mounted.find(
        (one) => one.version === version && (version === 2 || one.names.includes(names[0] ?? "")),
      );
      if (hierarchy === undefined) return [];
      const path = rest.join(":");
      return [{ version, names, path, directory: join(hierarchy.mountPoint, path) }];
    });
}
