/** The places in the rootfs on which things are mounted: found or made inside it, and checked. */

import { hasErrno } from "../sys/error.ts";
import { type Fd, O } from "../sys/fd.ts";
import { readLink } from "../sys/file.ts";
import { createFileInRoot, findInRoot, mkdirAllInRoot } from "../sys/path.ts";
import { fstat, isDirectory } from "../sys/stat.ts";
import { FILESYSTEM, fstatfs } from "../sys/statfs.ts";

/** Files of procfs that may be covered: lxcfs and others serve values of the container's own there. */
const COVERABLE_IN_PROC: readonly string[] = [
  ..."cpuinfo diskstats meminfo stat swaps uptime loadavg slabinfo".split(" "),
  "sys/kernel/ns_last_pid",
  "sys/crypto/fips_enabled",
];

/**
 * Opens the place for a filesystem, a directory, making it where it is missing.
 * @returns the directory, and whether it had to be made
 * @throws {Error} when it is where nothing may be mounted
 */
export function openDirectoryMountPoint(rootfs: Fd, path: string, fstype: string): { target: Fd; made: boolean } {
  const ordinary = fstype === "proc" || fstype === "sysfs";
  const found = ordinary ? findOrdinary(rootfs, path, fstype) : findInRoot(rootfs, path, O.PATH | O.DIRECTORY);
  const target = found ?? mkdirAllInRoot(rootfs, path);
  return { target: checked(target, () => checkPlace(rootfs, target, fstype === "proc")), made: found === null };
}

/**
 * Opens the place for a bind mount, making what is missing in the likeness of the source.
 * @param nofollow whether a symlink there is itself the place
 * @throws {Error} when it is where nothing may be mounted
 */
export function openBindMountPoint(rootfs: Fd, path: string, source: Fd, nofollow = false): Fd {
  const target = findInRoot(rootfs, path, nofollow ? O.PATH | O.NOFOLLOW : O.PATH) ?? makeLike(rootfs, path, source);
  return checked(target, () => checkPlace(rootfs, target, isProcfs(source)));
}

/** The real path of a descriptor, as seen from the rootfs. */
export function pathInRoot(rootfs: Fd, fd: Fd): string {
  const root = readLink(rootfs.procPath);
  const path = readLink(fd.procPath);
  if (root === "/") return path;
  if (path === root) return "/";
  if (!path.startsWith(`${root}/`)) throw new Error(`${path} is outside of the rootfs ${root}`);
  return path.slice(root.length);
}

/** Makes a mount point, a directory or a file as its source is one. */
export function makeLike(rootfs: Fd, path: string, source: Fd): Fd {
  return isDirectory(fstat(source.number)) ? mkdirAllInRoot(rootfs, path) : createFileInRoot(rootfs, path);
}

/**
 * procfs and sysfs go where the configuration says and nowhere else: through a symlink of the image they could come to
 * lie where masked and read-only paths do not reach them (CVE-2019-19921).
 */
function findOrdinary(rootfs: Fd, path: string, fstype: string): Fd | null {
  try {
    return findInRoot(rootfs, path, O.PATH | O.DIRECTORY | O.NOFOLLOW);
  } catch (error) {
    if (!hasErrno(error, "ENOTDIR", "ELOOP")) throw error;
    throw new Error(`filesystem "${fstype}" must be mounted on ordinary directory`);
  }
}

/** What is mounted inside `/proc`, or on it and is none, could make this process trust what it should not (CVE-2019-16884). */
function checkPlace(rootfs: Fd, target: Fd, isProc: boolean): void {
  const path = pathInRoot(rootfs, target);
  if (path === "/") throw new Error(`mountpoint "${path}" is on the top of rootfs`);
  if (path === "/proc" && !isProc) throw new Error(`"${path}" cannot be mounted because it is not of type proc`);
  if (path.startsWith("/proc/") && !COVERABLE_IN_PROC.includes(path.slice("/proc/".length))) {
    throw new Error(`"${path}" cannot be mounted because it is inside /proc`);
  }
}

function isProcfs(fd: Fd): boolean {
  return fstatfs(fd.number).type === FILESYSTEM.proc;
}

function checked(fd: Fd, check: () => void): Fd {
  try {
    check();
    return fd;
  } catch (error) {
    fd.close();
    throw error;
  }
}
