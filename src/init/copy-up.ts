/** Fills a new tmpfs with what it covers (`tmpcopyup`). */
import {
  chmodSync,
  constants,
  copyFileSync,
  fstatSync,
  lchownSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  type Stats,
  symlinkSync,
} from "node:fs";
import { check, hasErrno } from "../sys/error.ts";
import { AT_FDCWD, type Fd, O, open } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";

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
  for (const name of readdirSync(from.procPath)) {
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
  const stat = fstatSync(entry.number);
  if (stat.isSymbolicLink()) symlinkSync(readlinkOf(entry), to);
  else if (stat.isDirectory()) {
    mkdirSync(to);
    copyEntries(entry, to);
  } else if (stat.isFile()) copyFileSync(entry.procPath, to, constants.COPYFILE_EXCL);
  else check(syscall("mknodat", AT_FDCWD, to, stat.mode, stat.rdev), () => `mknod ${to}`);
  copyMetadata(stat, to);
}

/** The target of an open link. @see readlinkat(2): an empty path means the descriptor's own */
function readlinkOf(link: Fd): string {
  const memory = Buffer.alloc(4096);
  const length = check(syscall("readlinkat", link.number, "", memory, memory.byteLength), "readlink");
  return memory.toString("utf8", 0, length);
}

function copyMetadata(stat: Stats, to: string): void {
  lchownSync(to, stat.uid, stat.gid);
  // A change of owner takes away the set-id bits, so the mode comes after it.
  if (!stat.isSymbolicLink()) chmodSync(to, stat.mode & 0o7777);
  lutimesSync(to, stat.atimeMs / 1000, stat.mtimeMs / 1000);
}
