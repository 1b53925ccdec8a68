/** Fills a new tmpfs with what it is going to cover (`tmpcopyup`). */

import { check, hasErrno } from "../sys/error.ts";
import { AT, type Fd, O, open } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { readOpenDirectory, readOpenLink } from "../sys/file.ts";
import { copyAll } from "../sys/io.ts";
import { openDescriptors } from "../sys/procfs.ts";
import { fstat, isDirectory, isType, type Stat } from "../sys/stat.ts";

/**
 * Copies the contents of a directory with their owners, modes, times, links and nodes; hard links become copies.
 *
 * Another container may have the directory too, and put a link to the host's files in a file's place at any moment. So
 * each entry is opened by one name below a descriptor, without following a link, and then known by its descriptor alone.
 * The names of the copies are certain, since nobody else has the filesystem yet.
 *
 * @param from the directory that will be under the mount
 * @param to   the root of a filesystem that is mounted nowhere
 * @throws {SyscallError} when something cannot be read, or does not fit
 */
export function copyContents(from: Fd, to: Fd): void {
  using descriptors = openDescriptors();
  new CopyUp(descriptors).copyEntries(from, to);
}

class CopyUp {
  /** @param descriptors this process's own, as procfs lists them */
  constructor(private readonly descriptors: Fd) {}

  copyEntries(from: Fd, to: Fd): void {
    for (const { name } of readOpenDirectory(from)) {
      using entry = findEntry(from, name);
      // It may have been removed meanwhile.
      if (entry !== null) this.#copyEntry(entry, to, name);
    }
  }

  #copyEntry(entry: Fd, to: Fd, name: string): void {
    const stat = fstat(entry.number);
    if (isType(stat, "symlink")) {
      check(syscall("symlinkat", readOpenLink(entry.number), to.number, name), () => `symlink ${name}`);
    } else if (isDirectory(stat)) {
      check(syscall("mkdirat", to.number, name, 0o700), () => `mkdir ${name}`);
      using directory = open(name, O.PATH | O.DIRECTORY | O.NOFOLLOW, 0, to.number);
      this.copyEntries(entry, directory);
    } else if (isType(stat, "regular")) {
      this.#copyFile(entry, to, name);
    } else {
      check(syscall("mknodat", to.number, name, stat.mode, stat.rdev), () => `mknod ${name}`);
    }
    copyMetadata(stat, to, name);
  }

  #copyFile(entry: Fd, to: Fd, name: string): void {
    // The very file again: its name may be a device's by now, which acts when it is opened.
    using source = open(String(entry.number), O.RDONLY, 0, this.descriptors.number);
    using target = open(name, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, 0o600, to.number);
    copyAll(source.number, target.number, () => `copy ${name}`);
  }
}

function findEntry(directory: Fd, name: string): Fd | null {
  try {
    return open(name, O.PATH | O.NOFOLLOW, 0, directory.number);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return null;
    throw error;
  }
}

function copyMetadata(stat: Stat, directory: Fd, name: string): void {
  const { number } = directory;
  check(syscall("fchownat", number, name, stat.uid, stat.gid, AT.SYMLINK_NOFOLLOW), () => `chown ${name}`);
  // A change of owner takes away the set-id bits, so the mode comes after it.
  if (!isType(stat, "symlink")) {
    check(syscall("fchmodat", number, name, stat.mode & 0o7777, 0), () => `chmod ${name}`);
  }
  const NANOSECONDS = 1_000_000_000n;
  // struct timespec [2]: the last access, the last change
  const times = BigInt64Array.from(
    [stat.atime, stat.mtime].flatMap((time) => [time / NANOSECONDS, time % NANOSECONDS]),
  );
  check(syscall("utimensat", number, name, times, AT.SYMLINK_NOFOLLOW), () => `set the times of ${name}`);
}
