/** Directories and files of the cgroup filesystem: short texts, each read or written by one call. */

import { ERRNO } from "./errno.ts";
import { check, hasErrno, SyscallError } from "./error.ts";
import { AT, AT_FDCWD, O } from "./fd.ts";
import { syscall } from "./ffi.ts";
import { readDirectory, readText } from "./file.ts";
import { uninterrupted } from "./io.ts";
import { encode } from "./text.ts";

const { EEXIST, EINTR, ENOENT } = ERRNO;

/**
 * Makes a cgroup.
 * @returns whether it was made, was there already, or could not be made because its parent is not there
 * @throws {SyscallError} `mkdir`
 */
export function makeCgroup(directory: string): "made" | "existed" | "no parent" {
  const result = syscall("mkdirat", AT_FDCWD, directory, 0o755);
  if (result === -EEXIST) return "existed";
  if (result === -ENOENT) return "no parent";
  check(result, () => `mkdir ${directory}`);
  return "made";
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

/** Names of the child cgroups; `null` when the cgroup itself is gone. */
export function childCgroups(directory: string): string[] | null {
  try {
    return readDirectory(directory)
      .filter((entry) => entry.isDirectory)
      .map((entry) => entry.name);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return null;
    throw error;
  }
}

/** @throws {SyscallError} with the file's path and the value */
export function writeCgroupFile(directory: string, file: string, value: string): void {
  writeCgroupLines(directory, file, [value]);
}

/** Writes values one after the other, each by its own call. @throws {SyscallError} with the file's path and the value */
export function writeCgroupLines(directory: string, file: string, values: readonly string[]): void {
  const path = `${directory}/${file}`;
  const what = (value = "") => `write ${JSON.stringify(value)} to ${path}`;
  const fd = check(syscall("openat", AT_FDCWD, path, O.WRONLY | O.CLOEXEC, 0), () => what(values[0]));
  for (const value of values) {
    const result = writeText(fd, value);
    if (result >= 0) continue;
    syscall("close_range", fd, fd, 0);
    throw new SyscallError(what(value), -result);
  }
  syscall("close_range", fd, fd, 0);
}

/** Writes to an open cgroup file. @returns the negative errno when it fails */
export function writeText(fd: number, value: string): number {
  return uninterrupted("write", fd, encode(value));
}

/** The contents of a cgroup file. @throws {SyscallError} with the file's path */
export function readCgroupFile(directory: string, file: string): string {
  return readText(`${directory}/${file}`);
}
