/**
 * Copies what is below a directory, or what unpacked layers make together, with all that files have: owner, permissions, xattrs, times, and
 * several names. Contents are shared with the original where the filesystem can (reflinks), and copied by the kernel where not.
 * @see ioctl_ficlone(2), copy_file_range(2)
 */
import {
  chmodAt,
  closeFd,
  linkAt,
  listDirectory,
  mkdirAt,
  mknodAt,
  openAt,
  openBeneath,
  readLinkAt,
  statAt,
  symlinkAt,
  utimesAt,
} from "../../sys/at.ts";
import { type ByteName, baseOf, joinNames, parentOf, printable } from "../../sys/byte-name.ts";
import { ERRNO } from "../../sys/errno.ts";
import { check } from "../../sys/error.ts";
import { type Fd, O, open } from "../../sys/fd.ts";
import { syscall } from "../../sys/ffi.ts";
import { copyAll } from "../../sys/io.ts";
import { isDirectory, isType, type Stat } from "../../sys/stat.ts";
import { xattrsAt } from "../../sys/xattr.ts";
import { setDirectoryAttributes, setFileAttributes, setNodeAttributes } from "../layer/attributes.ts";
import type { ExtractContext } from "../layer/extract-context.ts";
import { isWhiteout, type LowerLayers } from "../layer/lower-layers.ts";
import { smallDevice } from "../layer/make-entry.ts";

const SELF = "" as ByteName;
const FICLONE = 0x40049409;

/** Copies a directory's own attributes to another. @param mode in the place of its own */
export function copyDirectoryAttributes(from: number, to: number, context: ExtractContext, mode?: number): void {
  const stat = statAt(from, SELF);
  if (typeof stat === "number") return void check(stat, "stat a directory");
  setDirectoryAttributes(to, SELF, attributesOf(from, SELF, stat, mode), context);
  check(utimesAt(to, SELF, stat.atime, stat.mtime), "set the times of a directory");
}

/** Copies all that is in a directory, and its own attributes. @throws {SyscallError} */
export function copyTree(from: Fd, to: Fd, context: ExtractContext): void {
  copyInto(from.number, to.number, SELF, { ...context, root: to.number, links: new Map() });
}

/**
 * Copies the tree that layers make, from where each is unpacked: from a mount of them contents could not be shared, which is another filesystem.
 * @throws {SyscallError}
 */
export function copyLayers(layers: LowerLayers, to: Fd, context: ExtractContext): void {
  copyMerged(layers, SELF, to.number, { ...context, root: to.number, links: new Map() });
}

function copyMerged(layers: LowerLayers, path: ByteName, to: number, context: CopyContext, mode?: number): void {
  const what = () => `copy ${printable(path)}`;
  const seen = new Set<ByteName>();
  const roots = layers.directoriesOf(path);
  for (const root of roots) {
    const directory = check(openBeneath(root, path, O.RDONLY | O.DIRECTORY), what);
    try {
      const entries = listDirectory(directory);
      if (typeof entries === "number") return void check(entries, what);
      for (const { name } of entries) {
        // What an upper layer has, or has removed, hides all below it.
        if (seen.has(name)) continue;
        seen.add(name);
        const stat = statAt(directory, name);
        if (typeof stat === "number") return void check(stat, what);
        if (isWhiteout(stat)) continue;
        if (!isDirectory(stat)) copyEntry(directory, to, name, joinNames(path, name), context);
        else copyMergedDirectory(layers, joinNames(path, name), to, context, stat.mode);
      }
    } finally {
      closeFd(directory);
    }
  }
  const uppermost = check(openBeneath(check(roots[0] ?? -ERRNO.ENOENT, what), path, O.RDONLY | O.DIRECTORY), what);
  try {
    copyDirectoryAttributes(uppermost, to, context, mode);
  } finally {
    closeFd(uppermost);
  }
}

function copyMergedDirectory(layers: LowerLayers, path: ByteName, to: number, context: CopyContext, mode: number) {
  const what = () => `copy ${printable(path)}`;
  check(mkdirAt(to, baseOf(path), 0o700), what);
  const copy = check(openAt(to, baseOf(path), O.RDONLY | O.DIRECTORY), what);
  try {
    copyMerged(layers, path, copy, context, mode);
  } finally {
    closeFd(copy);
  }
}

/** Whether what is copied from one directory to another shares its contents: of files that have no name. */
export function sharesContents(from: string, to: string): boolean {
  try {
    const [flags, mode] = [O.RDWR | O.TMPFILE, 0o600];
    using original = open(from, flags, mode);
    using copy = open(to, flags, mode);
    return syscall("ioctl", copy.number, FICLONE, original.number) === 0;
  } catch {
    return false;
  }
}

interface CopyContext extends ExtractContext {
  /** Of the copy. */
  root: number;
  /** The first copied name of each file that has several, below the root. */
  links: Map<string, ByteName>;
}

function copyInto(from: number, to: number, path: ByteName, context: CopyContext, mode?: number): void {
  const entries = listDirectory(from);
  if (typeof entries === "number") return void check(entries, () => `read ${printable(path)}`);
  for (const { name } of entries) copyEntry(from, to, name, joinNames(path, name), context);
  copyDirectoryAttributes(from, to, context, mode);
}

/** Gives a file that was copied already its further name. @returns whether it had been */
function linkToCopy(stat: Stat, to: number, path: ByteName, { root, links }: CopyContext): boolean {
  if (stat.links < 2) return false;
  const key = `${stat.dev}:${stat.ino}`;
  const first = links.get(key);
  if (first === undefined) {
    links.set(key, path);
    return false;
  }
  const what = () => `link ${printable(path)} to ${printable(first)}`;
  const parent = check(openBeneath(root, parentOf(first), O.PATH | O.DIRECTORY), what);
  try {
    check(linkAt(parent, baseOf(first), to, baseOf(path)), what);
  } finally {
    closeFd(parent);
  }
  return true;
}

function copyEntry(from: number, to: number, name: ByteName, path: ByteName, context: CopyContext): void {
  const what = () => `copy ${printable(path)}`;
  const stat = statAt(from, name);
  if (typeof stat === "number") return void check(stat, what);
  if (!isDirectory(stat) && linkToCopy(stat, to, path, context)) return;
  if (isDirectory(stat)) {
    check(mkdirAt(to, name, 0o700), what);
    using source = openToRead(from, name, stat, context);
    const copy = openAt(to, name, O.RDONLY | O.DIRECTORY);
    try {
      copyInto(check(source.fd, what), check(copy, what), path, context, stat.mode);
    } finally {
      if (copy >= 0) closeFd(copy);
    }
    return;
  }
  const attributes = attributesOf(from, name, stat);
  if (isType(stat, "regular")) {
    using source = openToRead(from, name, stat, context);
    const copy = openAt(to, name, O.WRONLY | O.CREAT | O.EXCL, 0o600);
    try {
      copyContent(check(source.fd, what), check(copy, what), what);
      setFileAttributes(copy, path, attributes, context);
      check(utimesAt(copy, SELF, stat.atime, stat.mtime), what);
    } finally {
      if (copy >= 0) closeFd(copy);
    }
    return;
  }
  const link = isType(stat, "symlink") ? readLinkAt(from, name) : null;
  const made = link === null ? mknodAt(to, name, stat.mode, smallDevice(stat.rdev)) : symlinkAt(link, to, name);
  if (made === -ERRNO.EPERM) {
    context.links.delete(`${stat.dev}:${stat.ino}`);
    context.notices.add("device", () => `left out the device ${printable(path)}: this process may not make any`);
    return;
  }
  check(made, what);
  setNodeAttributes(to, name, path, attributes, link !== null, context);
  check(utimesAt(to, name, stat.atime, stat.mtime), what);
}

interface Opened extends Disposable {
  /** `-errno` where it cannot be opened. */
  fd: number;
}

/** Opens what is to be copied. What its owner, an ordinary user, may not even read has other permissions until it is closed. */
function openToRead(directory: number, name: ByteName, stat: Stat, { owners }: ExtractContext): Opened {
  const [needed, flags] = isDirectory(stat) ? [0o500, O.RDONLY | O.DIRECTORY] : [0o400, O.RDONLY];
  const isClosed = owners === "own" && (stat.mode & needed) !== needed;
  if (isClosed) chmodAt(directory, name, (stat.mode & 0o7777) | needed);
  const fd = openAt(directory, name, flags);
  return {
    fd,
    [Symbol.dispose]() {
      if (fd >= 0) closeFd(fd);
      if (isClosed) chmodAt(directory, name, stat.mode & 0o7777);
    },
  };
}

/** Shares the contents, or copies them. */
export function copyContent(from: number, to: number, what: () => string): void {
  if (syscall("ioctl", to, FICLONE, from) === 0) return;
  copyAll(from, to, what);
}

function attributesOf(directory: number, name: ByteName, { mode: own, uid, gid }: Stat, mode = own) {
  const all = xattrsAt(directory, name);
  const xattrs = new Map(typeof all === "number" ? [] : all);
  for (const attribute of xattrs.keys()) if (/^(trusted|user)\.overlay\./.test(attribute)) xattrs.delete(attribute);
  return { mode: mode & 0o7777, uid, gid, xattrs };
}
