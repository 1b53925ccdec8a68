/** Carries out what an entry of a layer asks for. */
import {
  closeFd,
  deviceNumber,
  linkAt,
  mkdirAt,
  mknodAt,
  openAt,
  openBeneath,
  readLinkAt,
  statAt,
  symlinkAt,
  utimesAt,
} from "../../sys/at.ts";
import { type ByteName, baseOf, parentOf, printable } from "../../sys/byte-name.ts";
import { ERRNO } from "../../sys/errno.ts";
import { check } from "../../sys/error.ts";
import { O } from "../../sys/fd.ts";
import { syscall } from "../../sys/ffi.ts";
import { copyAll, uninterrupted } from "../../sys/io.ts";
import { FILE_TYPE, isDirectory, isSameFile, isType } from "../../sys/stat.ts";
import { xattrsAt } from "../../sys/xattr.ts";
import { setFileAttributes, setNodeAttributes } from "./attributes.ts";
import type { ExtractContext } from "./extract-context.ts";
import { LayerError, quoted } from "./layer-error.ts";
import type { LayerTree } from "./layer-tree.ts";
import type { Found } from "./lower-layers.ts";
import { removeTreeAt } from "./remove-tree.ts";
import type { SparsePart } from "./sparse.ts";
import type { TarEntry, TarReader } from "./tar-reader.ts";

const { EEXIST, EPERM } = ERRNO;
const SELF = "" as ByteName;

/** Makes what an entry describes, in the place of what is there. */
export function makeEntry(
  wanted: ByteName,
  entry: TarEntry,
  tree: LayerTree,
  reader: TarReader,
  context: ExtractContext,
): void {
  if (wanted === SELF) return makeDirectory(null, SELF, entry, tree);
  const parent = tree.directory(parentOf(wanted));
  const name = baseOf(wanted);
  const path = parent.path === SELF ? name : (`${parent.path}/${name}` as ByteName);
  switch (entry.type) {
    case "directory":
      makeDirectory(parent.fd, path, entry, tree);
      break;
    case "file":
      makeFile(parent.fd, path, entry, tree, reader, context);
      break;
    default:
      makeNode(parent.fd, path, entry, tree, context);
  }
  tree.markWritten(path);
  tree.copiedUp.delete(path);
}

/** Makes something, after removing what is in its place. @param make returns `-errno` */
function inPlace(parent: number, path: ByteName, tree: LayerTree, make: () => number): number {
  let result = make();
  if (result === -EEXIST) {
    removeTreeAt(parent, baseOf(path));
    tree.forget(path);
    result = make();
  }
  return result;
}

/** A directory that is there keeps what is in it, and gets the entry's attributes. */
function makeDirectory(parent: number | null, path: ByteName, entry: TarEntry, tree: LayerTree): void {
  if (parent !== null) {
    const name = baseOf(path);
    const made = mkdirAt(parent, name, 0o700);
    if (made === -EEXIST) {
      const there = statAt(parent, name);
      if (typeof there === "number" || !isDirectory(there)) {
        check(
          inPlace(parent, path, tree, () => mkdirAt(parent, name, 0o700)),
          () => `make directory ${printable(path)}`,
        );
      }
    } else check(made, () => `make directory ${printable(path)}`);
  }
  tree.setTimes(path, { atime: entry.mtime, mtime: entry.mtime });
  const fd = tree.existing(path);
  if (fd === null) throw new LayerError("the directory has gone");
  tree.setAttributes(path, fd, entry);
}

function makeFile(
  parent: number,
  path: ByteName,
  entry: TarEntry,
  tree: LayerTree,
  reader: TarReader,
  context: ExtractContext,
): void {
  const name = baseOf(path);
  const open = () => openAt(parent, name, O.WRONLY | O.CREAT | O.EXCL, 0o600);
  const fd = check(inPlace(parent, path, tree, open), () => `make ${printable(path)}`);
  try {
    writeContent(fd, path, entry, reader);
    setFileAttributes(fd, path, entry, context);
    check(utimesAt(fd, SELF, entry.mtime, entry.mtime), () => `set the times of ${printable(path)}`);
  } finally {
    closeFd(fd);
  }
}

function writeContent(fd: number, path: ByteName, { size, sparse }: TarEntry, reader: TarReader): void {
  const what = () => `write ${printable(path)}`;
  const write = (piece: Uint8Array) => {
    for (let rest = piece; rest.length > 0; ) rest = rest.subarray(check(uninterrupted("write", fd, rest), what));
  };
  if (sparse === null) return reader.content(write);
  check(syscall("ftruncate", fd, size), what);
  const parts = sparse.filter(({ length }) => length > 0);
  let index = 0;
  let left = 0;
  reader.content((piece) => {
    for (let rest = piece; rest.length > 0; ) {
      if (left === 0) {
        const part = parts[index++] as SparsePart;
        check(syscall("lseek", fd, part.offset, 0), what);
        left = part.length;
      }
      const now = rest.subarray(0, left);
      write(now);
      left -= now.length;
      rest = rest.subarray(now.length);
    }
  });
}

/** Makes a symlink, a device or a fifo. */
function makeNode(parent: number, path: ByteName, entry: TarEntry, tree: LayerTree, context: ExtractContext): void {
  const name = baseOf(path);
  const isSymlink = entry.type === "symlink";
  if (entry.type === "characterDevice" && entry.major === 0 && entry.minor === 0) {
    const text = () => `left out ${printable(path)}: a device 0:0, which hides files in an overlay mount`;
    context.notices.add("overlay whiteout", text);
    return;
  }
  const result = inPlace(parent, path, tree, () =>
    isSymlink ? symlinkAt(entry.linkName, parent, name) : mknodAt(parent, name, nodeType(entry), deviceOf(entry)),
  );
  if (result === -EPERM && entry.type !== "fifo" && !isSymlink) {
    context.notices.add("device", () => `left out the device ${printable(path)}: this process may not make any`);
    return;
  }
  check(result, () => `make ${entry.type} ${printable(path)}`);
  setNodeAttributes(parent, name, path, entry, isSymlink, context);
  check(utimesAt(parent, name, entry.mtime, entry.mtime), () => `set the times of ${printable(path)}`);
}

function nodeType({ type }: TarEntry): number {
  return FILE_TYPE[type as "characterDevice" | "blockDevice" | "fifo"] | 0o600;
}

function deviceOf({ type, major, minor }: TarEntry): number {
  if (type === "fifo") return 0;
  const [LARGEST_MAJOR, LARGEST_MINOR] = [0xfff, 0xfffff];
  if (major < 0 || minor < 0 || major > LARGEST_MAJOR || minor > LARGEST_MINOR) {
    throw new LayerError(`a device ${major}:${minor}: beyond ${LARGEST_MAJOR}:${LARGEST_MINOR}`);
  }
  return deviceNumber(major, minor);
}

/** Gives a file another name. Its first may be of a lower layer: then this layer gets a copy. */
export function linkEntry(wanted: ByteName, target: ByteName, tree: LayerTree, context: ExtractContext): void {
  const from = linkTarget(target, tree, context);
  const parent = tree.directory(parentOf(wanted));
  const name = baseOf(wanted);
  const path = parent.path === SELF ? name : (`${parent.path}/${name}` as ByteName);
  // Opened: what is in the way may be a directory with the target in it.
  const source = tree.directory(from.parent);
  const there = statAt(parent.fd, name);
  const stat = statAt(source.fd, from.name);
  if (typeof stat === "number") throw new LayerError(`a hard link to ${quoted(target)}, which is not there`);
  if (isDirectory(stat)) throw new LayerError(`a hard link to ${quoted(target)}, which is a directory`);
  if (typeof there !== "number" && isSameFile(there, stat)) return;
  if (`${from.parent}/`.startsWith(`${path}/`))
    throw new LayerError(`a hard link to ${quoted(target)}, in its own place`);
  const result = inPlace(parent.fd, path, tree, () => linkAt(source.fd, from.name, parent.fd, name));
  check(result, () => `link ${printable(path)} to ${printable(target)}`);
  tree.markWritten(path);
  tree.copiedUp.delete(path);
}

/** Where a link's target is, with no symlink on the way. */
function linkTarget(target: ByteName, tree: LayerTree, context: ExtractContext): { parent: ByteName; name: ByteName } {
  const name = baseOf(target);
  const parent = tree.directory(parentOf(target));
  if (typeof statAt(parent.fd, name) === "number") {
    const path = parent.path === SELF ? name : (`${parent.path}/${name}` as ByteName);
    const below = tree.isHidden(path) ? null : tree.lower.find(path);
    if (below === null) throw new LayerError(`a hard link to ${quoted(target)}, which is not there`);
    copyUp(below, parent.fd, path, context);
    tree.copiedUp.add(path);
  }
  return { parent: parent.path, name };
}

/** Copies a lower layer's file, which is no directory, into this layer. */
function copyUp({ root, stat }: Found, parent: number, path: ByteName, context: ExtractContext): void {
  const what = () => `copy ${printable(path)} of a lower layer`;
  const name = baseOf(path);
  const from = check(openBeneath(root, parentOf(path), O.RDONLY | O.DIRECTORY), what);
  try {
    const xattrs = xattrsAt(from, name);
    const attributes = { ...attributesOf(stat), xattrs: typeof xattrs === "number" ? new Map() : xattrs };
    if (isType(stat, "regular")) {
      const source = check(openAt(from, name, O.RDONLY), what);
      const copy = openAt(parent, name, O.WRONLY | O.CREAT | O.EXCL, 0o600);
      try {
        copyAll(source, check(copy, what), what);
        setFileAttributes(copy, path, attributes, context);
      } finally {
        closeFd(source);
        if (copy >= 0) closeFd(copy);
      }
    } else {
      const link = isType(stat, "symlink") ? readLinkAt(from, name) : null;
      const result =
        link === null ? mknodAt(parent, name, stat.mode, smallDevice(stat.rdev)) : symlinkAt(link, parent, name);
      check(result, what);
      setNodeAttributes(parent, name, path, attributes, link !== null, context);
    }
    check(utimesAt(parent, name, stat.atime, stat.mtime), what);
  } finally {
    closeFd(from);
  }
}

function attributesOf({ mode, uid, gid }: { mode: number; uid: number; gid: number }) {
  return { mode: mode & 0o7777, uid, gid };
}

/** A device's number in the 32 bits of mknod(2), from those of makedev(3). */
export function smallDevice(device: number): number {
  const value = BigInt(device);
  const major = Number(((value >> 32n) & 0xfffff000n) | ((value >> 8n) & 0xfffn));
  const minor = Number(((value >> 12n) & 0xffffff00n) | (value & 0xffn));
  return deviceNumber(major, minor);
}
