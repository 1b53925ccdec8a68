/** Fills a new tmpfs with what it covers (`tmpcopyup`). */

import { check, hasErrno } from "../sys/error.ts";
import { AT, AT_FDCWD, type Fd, O, open } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { chmod, mkdir, readDirectory, readOpenLink } from "../sys/file.ts";
import { copyAll } from "../sys/io.ts";
import { fstat, isDirectory, isType, type Stat } from "../sys/stat.ts";

/**
 * Copies the contents of a directory with their owners, modes, times, links and nodes; hard links become copies.
 *
 * Each entry is opened without following a link and then acted on by descriptor: another container may have the directory
 * too, and put a link to the host's files in a file's place while we look away.
 *
 * @param from the directory under the mount
 * @param to   the root of the mount
 */
export function copyContents(from: Fd, to: Fd): void {
  copyEntries(from, to.procPath);
}

function copyEntries(from: Fd, to: string): void {
  for (const { name } of readDirectory(from.procPath)) {
    try {
      using entry = open(name, O.PATH | O.NOFOLLOW, 0, from.number);
      copyEntry(entry, `${to}/${name}`);
    } catch (error) {
      // It was removed meanwhile.
      if (!hasErrno(error, "ENOENT")) throw error;
    }
  }
}

function copyEntry(entry: Fd, to: string): void {
  const stat = fstat(entry.number);
  if (isType(stat, "symlink")) {
    check(syscall("symlinkat", readOpenLink(entry.number), AT_FDCWD, to), () => `symlink ${to}`);
  } else if (isDirectory(stat)) {
    mkdir(to);
    copyEntries(entry, to);
  } else if (isType(stat, "regular")) copyFile(entry, to);
  else check(syscall("mknodat", AT_FDCWD, to, stat.mode, stat.rdev), () => `mknod ${to}`);
  copyMetadata(stat, to);
}

function copyFile(entry: Fd, to: string): void {
  using source = open(entry.procPath, O.RDONLY);
  using target = open(to, O.WRONLY | O.CREAT | O.EXCL, 0o600);
  copyAll(source.number, target.number, () => `copy to ${to}`);
}

function copyMetadata(stat: Stat, to: string): void {
  check(syscall("fchownat", AT_FDCWD, to, stat.uid, stat.gid, AT.SYMLINK_NOFOLLOW), () => `chown ${to}`);
  // A change of owner takes away the set-id bits, so the mode comes after it.
  if (!isType(stat, "symlink")) chmod(to, stat.mode & 0o7777);
  const NANOSECONDS = 1_000_000_000n;
  // struct timespec [2]: the last access, the last change
  const times = BigInt64Array.from(
    [stat.atime, stat.mtime].flatMap((time) => [time / NANOSECONDS, time % NANOSECONDS]),
  );
  check(syscall("utimensat", AT_FDCWD, to, times, AT.SYMLINK_NOFOLLOW), () => `set the times of ${to}`);
}
