/** Directories and files of the cgroup filesystem: short texts, each read or written by one call. */
import { readdirSync } from "node:fs";
import { constants } from "node:os";
import { check, SyscallError } from "./error.ts";
import { AT, AT_FDCWD, O } from "./fd.ts";
import { syscall } from "./ffi.ts";

const { EEXIST, EINTR, ENOENT } = constants.errno;

/**
 * Makes a cgroup.
 * @returns false when it was there already
 * @throws {SyscallError} `mkdir`: ENOENT when the parent is not there
 */
export function makeCgroup(directory: string): boolean {
  const result = syscall("mkdirat", AT_FDCWD, directory, 0o755);
  if (result === -EEXIST) return false;
  check(result, () => `mkdir ${directory}`);
  return true;
}

/**
 * Removes a cgroup without processes and child cgroups.
 * @returns the negative errno; 0 also when there was none
 */
export function removeCgroup(directory: string): number {
  let result: number;
  do result = syscall("unlinkat", AT_FDCWD, directory, AT.REMOVEDIR);
  while (result === -EINTR);
  return result === -ENOENT ? 0 : result;
}

/** Names of the child cgroups; none when the cgroup itself is gone. */
export function childCgroups(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return [];
    throw error;
  }
}

/** @throws {SyscallError} with the file's path and the value */
export function writeCgroupFile(directory: string, file: string, value: string): void {
  const path = `${directory}/${file}`;
  const what = () => `write ${JSON.stringify(value)} to ${path}`;
  const fd = check(syscall("openat", AT_FDCWD, path, O.WRONLY | O.CLOEXEC), what);
  const result = writeText(fd, value);
  syscall("close_range", fd, fd, 0);
  check(result, what);
}

/** Writes to an open cgroup file. @returns the negative errno when it fails */
export function writeText(fd: number, value: string): number {
  const bytes = Buffer.from(value);
  let result: number;
  do result = syscall("write", fd, bytes, bytes.byteLength);
  while (result === -EINTR);
  return result;
}

/** The contents of a cgroup file. @throws {SyscallError} with the file's path */
export function readCgroupFile(directory: string, file: string): string {
  const path = `${directory}/${file}`;
  const fd = check(syscall("openat", AT_FDCWD, path, O.RDONLY | O.CLOEXEC), () => `read ${path}`);
  try {
    let text = "";
    const chunk = Buffer.alloc(4096);
    for (;;) {
      const length = syscall("read", fd, chunk, chunk.byteLength);
      if (length === -EINTR) continue;
      if (length < 0) throw new SyscallError(`read ${path}`, -length);
      if (length === 0) return text;
      text += chunk.toString("latin1", 0, length);
    }
  } finally {
    syscall("close_range", fd, fd, 0);
  }
}
