/** The mount option `copy-symlink`: a source that is a symlink is made again, not bound. */

import { ERRNO } from "../sys/errno.ts";
import { check, hasErrno } from "../sys/error.ts";
import type { Fd } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { readLink } from "../sys/file.ts";
import { mkdirAllInRoot, readlinkAt } from "../sys/path.ts";
import { basename, dirname } from "../sys/path-names.ts";

/**
 * Makes a symlink in the rootfs that says what the source says.
 * @returns whether the source is a symlink at all
 * @throws {Error} when something else is at the target
 */
export function copySymlink(rootfs: Fd, source: string, target: string): boolean {
  const to = linkTarget(source);
  if (to === null) return false;
  using directory = mkdirAllInRoot(rootfs, dirname(target));
  const name = basename(target);
  const result = syscall("symlinkat", to, directory.number, name);
  if (result !== -ERRNO.EEXIST) {
    check(result, () => `symlink rootfs${target}`);
  } else if (readlinkAt(directory, name, () => `symlink rootfs${target}`) !== to) {
    throw new Error(`rootfs${target} is a symlink to something other than ${to}`);
  }
  return true;
}

function linkTarget(path: string): string | null {
  try {
    return readLink(path);
  } catch (error) {
    // None, or out of reach: what binds it says the latter.
    if (hasErrno(error, "EINVAL", "ENOENT", "EACCES", "ENOTDIR")) return null;
    throw error;
  }
}
