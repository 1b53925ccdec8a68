/** Removing a tree by descriptors: nothing that someone puts in a name's place meanwhile is followed. */

import { chmodAt, closeFd, listDirectory, openBeneath, unlinkAt } from "../../sys/at.ts";
import { type ByteName, joinNames, nameOfText, printable } from "../../sys/byte-name.ts";
import { ERRNO } from "../../sys/errno.ts";
import { check } from "../../sys/error.ts";
import { AT, O, open } from "../../sys/fd.ts";
import { RESOLVE } from "../../sys/openat2.ts";
import { basename, dirname } from "../../sys/path-names.ts";

const { EACCES, EISDIR, ENOENT, ENOTEMPTY, EPERM } = ERRNO;

/**
 * Removes what a directory has under a name, with all that is below; nothing is fine, too.
 * @throws {SyscallError} `remove <name>`
 */
export function removeTreeAt(directory: number, name: ByteName): void {
  const result = unlinkAt(directory, name);
  if (result >= 0 || result === -ENOENT) return;
  // EPERM is what POSIX says of a directory.
  if (result !== -EISDIR && result !== -EPERM) check(result, () => `remove ${printable(name)}`);
  removeDirectory(directory, name);
}

/** {@link removeTreeAt}, by a path whose parents are trusted. */
export function removeTree(path: string): void {
  using parent = open(dirname(path), O.PATH | O.DIRECTORY);
  removeTreeAt(parent.number, nameOfText(basename(path)));
}

/** Depth-first without recursion: a tree may be deeper than the stack. */
function removeDirectory(directory: number, name: ByteName): void {
  const what = (path: ByteName) => () => `remove ${printable(path)}`;
  const open = (parent: number, child: ByteName) => {
    // Nothing that is mounted there, whoever did it, is removed.
    const openOnce = () => openBeneath(parent, child, O.RDONLY | O.DIRECTORY, RESOLVE.NO_XDEV);
    const fd = openOnce();
    return fd === -EACCES && chmodAt(parent, child, 0o700) === 0 ? openOnce() : fd;
  };
  if (unlinkAt(directory, name, AT.REMOVEDIR) === 0) return;
  const levels = [{ fd: check(open(directory, name), what(name)), name, path: name }];
  try {
    while (levels.length > 0) {
      const level = levels.at(-1) as (typeof levels)[number];
      const below = emptied(level.fd, level.path);
      if (below !== null) {
        const path = joinNames(level.path, below);
        levels.push({ fd: check(open(level.fd, below), what(path)), name: below, path });
        continue;
      }
      levels.pop();
      closeFd(level.fd);
      const parent = levels.at(-1)?.fd ?? directory;
      const result = unlinkAt(parent, level.name, AT.REMOVEDIR);
      if (result !== -ENOENT) check(result, what(level.path));
    }
  } finally {
    for (const { fd } of levels) closeFd(fd);
  }
}

/** Removes what can be removed at once. @returns a directory that is not empty */
function emptied(fd: number, path: ByteName): ByteName | null {
  const entries = listDirectory(fd);
  if (typeof entries === "number") check(entries, () => `read ${printable(path)}`);
  const writable = { tried: false };
  for (const { name } of entries as { name: ByteName }[]) {
    let result = unlinkAt(fd, name);
    if (result === -EACCES && !writable.tried) {
      // A directory that its owner may not write to.
      writable.tried = true;
      chmodAt(fd, "." as ByteName, 0o700);
      result = unlinkAt(fd, name);
    }
    if (result >= 0 || result === -ENOENT) continue;
    if (result === -EISDIR || result === -EPERM) result = unlinkAt(fd, name, AT.REMOVEDIR);
    if (result === -ENOTEMPTY) return name;
    // One that may not be read or left: it is opened, with other permissions, and looked at again.
    if (result === -EACCES) return name;
    if (result !== -ENOENT) check(result, () => `remove ${printable(joinNames(path, name))}`);
  }
  return null;
}
