/** Which cgroup hierarchies this machine has mounted, and where. */
import type { CgroupMount } from "../plan/cgroups.ts";
import { readText } from "../sys/file.ts";
import { findStat, isDirectory } from "../sys/stat.ts";

export type { CgroupMount } from "../plan/cgroups.ts";

/**
 * The cgroup hierarchies mounted, in the order of `mountinfo`.
 * @param mountinfo text of `/proc/self/mountinfo`, read when not given
 * @see proc_pid_mountinfo(5)
 */
export function detectCgroupMounts(mountinfo: string = readText("/proc/self/mountinfo")): CgroupMount[] {
  const mounts: CgroupMount[] = [];
  for (const line of mountinfo.split("\n")) {
    const separator = line.indexOf(" - cgroup");
    if (separator < 0) continue;
    const [, , , root, mountPoint] = line.slice(0, separator).split(" ");
    const [type, , options] = line.slice(separator + 3).split(" ");
    if (root === undefined || mountPoint === undefined || (type !== "cgroup" && type !== "cgroup2")) continue;
    mounts.push({
      version: type === "cgroup" ? 1 : 2,
      controllers: type === "cgroup" ? controllersIn(options ?? "") : [],
      mountPoint: unescapeOctal(mountPoint),
      root: unescapeOctal(root),
    });
  }
  return mounts;
}

/** The cgroups of a process, see {@link ownCgroups}. @throws {Error} ENOENT when there is no such process */
export function readOwnCgroups(pid: number | "self" = "self"): Map<string, string> {
  return ownCgroups(readText(`/proc/${pid}/cgroup`));
}

/**
 * The cgroups of a process: `/proc/<pid>/cgroup`, as a map from a v1 controller, a `name=…`, or `""` for v2, to a path.
 * The path is relative to the root of the hierarchy as the reader's cgroup namespace shows it.
 * @see cgroups(7), "/proc files"
 */
export function ownCgroups(text: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split("\n")) {
    const afterId = line.indexOf(":");
    const afterControllers = line.indexOf(":", afterId + 1);
    if (afterId < 0 || afterControllers < 0) continue;
    for (const controller of line.slice(afterId + 1, afterControllers).split(",")) {
      paths.set(controller, line.slice(afterControllers + 1));
    }
  }
  return paths;
}

/** Whether systemd is this machine's init. @see sd_booted(3) */
export function isSystemdRunning(): boolean {
  const found = findStat("/run/systemd/system");
  return found !== null && isDirectory(found);
}

/** The options of a v1 mount that name no controller. @see linux/kernel/cgroup/cgroup-v1.c, cgroup1_show_options */
const noControllers =
  "rw ro none xattr noprefix clone_children cpuset_v2_mode favordynmods nofavordynmods seclabel".split(" ");

function controllersIn(options: string): string[] {
  return options.split(",").filter((option) => !noControllers.includes(option) && !option.startsWith("release_agent="));
}

function unescapeOctal(path: string): string {
  if (!path.includes("\\")) return path;
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
