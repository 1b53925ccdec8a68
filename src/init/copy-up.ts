/** Fills a new tmpfs with what it covers (`tmpcopyup`). */
import {
  chmodSync,
  constants,
  copyFileSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  type Stats,
  symlinkSync,
} from "node:fs";
import { check } from "../sys/error.ts";
import { AT_FDCWD, type Fd } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";

/**
 * Copies the contents of a directory with their owners, modes, times, links and nodes; hard links become copies.
 * @param from the directory under the mount
 * @param to   the root of the mount
 */
export function copyContents(from: Fd, to: Fd): void {
  copyEntries(from.procPath, to.procPath);
}

function copyEntries(from: string, to: string): void {
  for (const name of readdirSync(from)) copyEntry(`${from}/${name}`, `${to}/${name}`);
}

function copyEntry(from: string, to: string): void {
  const stat = lstatSync(from);
  if (stat.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else if (stat.isDirectory()) {
    mkdirSync(to);
    copyEntries(from, to);
  } else if (stat.isFile()) copyFileSync(from, to, constants.COPYFILE_EXCL);
  else check(syscall("mknodat", AT_FDCWD, to, stat.mode, stat.rdev), () => `mknod ${to}`);
  copyMetadata(stat, to);
}

function copyMetadata(stat: Stats, to: string): void {
  lchownSync(to, stat.uid, stat.gid);
  // A change of owner takes away the set-id bits, so the mode comes after it.
  if (!stat.isSymbolicLink()) chmodSync(to, stat.mode & 0o7777);
  lutimesSync(to, stat.atimeMs / 1000, stat.mtimeMs / 1000);
}
