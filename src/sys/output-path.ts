/** Whether something can be written at a path: asked before the work whose result goes there. */
import { check } from "./error.ts";
import { AT, AT_FDCWD } from "./fd.ts";
import { syscall } from "./ffi.ts";
import { dirname } from "./path-names.ts";
import { findStat, isDirectory, isType } from "./stat.ts";

/** How a file comes to its place: by a rename, or by being opened there. */
export type WayOfWriting = "renamed" | "opened";

/**
 * Makes sure of what can be known before a file is written.
 * @param path absolute
 * @throws {Error} that says what is wrong with it, without the path @throws {SyscallError} `write to <path>`
 */
export function checkOutputFile(path: string, way: WayOfWriting): void {
  const there = findStat(path);
  if (there !== null && isDirectory(there)) throw new Error("is a directory: the name of a file is right");
  const isFile = there === null || isType(there, "regular");
  // A device or a pipe is never replaced.
  if (there !== null && (way === "opened" || !isFile)) return requireWritable(path, false);
  const directory = dirname(path);
  const parent = findStat(directory);
  if (parent === null) throw new Error(`its directory ${directory} is not there`);
  if (!isDirectory(parent)) throw new Error(`${directory} is not a directory`);
  requireWritable(directory, true);
}

/**
 * Makes sure of what can be known before a directory is made, with those that it is in.
 * @param path absolute
 * @throws {Error} that says what is wrong with it, without the path @throws {SyscallError} `write to <path>`
 */
export function checkOutputDirectory(path: string): void {
  const there = findStat(path);
  if (there === null) return checkOutputDirectory(dirname(path));
  if (!isDirectory(there)) throw new Error(`${path} is not a directory`);
  requireWritable(path, true);
}

/** By the effective ids. @see faccessat2(2), Linux 5.8 */
function requireWritable(path: string, isDirectory: boolean): void {
  const W_OK = 2;
  const X_OK = 1;
  const mode = isDirectory ? W_OK | X_OK : W_OK;
  check(syscall("faccessat2", AT_FDCWD, path, mode, AT.EACCESS), () => `write to ${path}`);
}
