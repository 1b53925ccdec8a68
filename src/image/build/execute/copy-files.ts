/** Copies what was selected into a root filesystem: by descriptors, with owner, permissions, xattrs, links and times. */
import { closeFd, linkAt, mkdirAt, mknodAt, openAt, statAt, symlinkAt, utimesAt } from "../../../sys/at.ts";
import {
  type ByteName,
  baseOf,
  bytesOfName,
  joinNames,
  nameOfText,
  parentOf,
  printable,
} from "../../../sys/byte-name.ts";
import { ERRNO } from "../../../sys/errno.ts";
import { check } from "../../../sys/error.ts";
import { AT_FDCWD, type Fd, O } from "../../../sys/fd.ts";
import { syscall } from "../../../sys/ffi.ts";
import { findInRoot, mkdirAllInRoot } from "../../../sys/path.ts";
import { isDirectory, isType, type Stat } from "../../../sys/stat.ts";
import { decode } from "../../../sys/text.ts";
import { xattrsAt } from "../../../sys/xattr.ts";
import { type Attributes, setFileAttributes, setNodeAttributes } from "../../layer/attributes.ts";
import type { ExtractContext } from "../../layer/extract-context.ts";
import { smallDevice } from "../../layer/make-entry.ts";
import { removeTreeAt } from "../../layer/remove-tree.ts";
import { copyContent } from "../../snapshot/copy-tree.ts";
import type { ModeChange } from "../plan/mode-change.ts";
import type { SelectedFile, SelectedItem } from "./selection.ts";
import type { SourceTree } from "./tree.ts";

const SELF = "" as ByteName;
/** Of directories that no file asks for. */
const DIRECTORY_MODE = 0o755;

export interface CopyTarget {
  rootfs: Fd;
  /** Absolute; ends with a slash for a directory. */
  destination: string;
  /** `null` where files keep theirs. */
  owner: { uid: number; gid: number } | null;
  mode: ModeChange | null;
  /** Whether a file takes the place of a directory, as in an archive that is unpacked. */
  replacesDirectories: boolean;
  context: ExtractContext;
}

/** @throws {Error} */
export function copyItems(tree: SourceTree, items: readonly SelectedItem[], target: CopyTarget): void {
  const copier = new Copier(tree, target);
  for (const item of items) copier.item(item);
}

/** Makes a directory with its parents: those that are missing get an owner, and permissions whatever the umask is. */
export function makeDirectories(
  rootfs: Fd,
  path: string,
  owner: { uid: number; gid: number } | null,
  mode = DIRECTORY_MODE,
): Fd {
  const components = path.split("/").filter((part) => part !== "");
  for (let count = 1; count <= components.length; count++) {
    const prefix = `/${components.slice(0, count).join("/")}`;
    const there = findInRoot(rootfs, prefix, O.PATH);
    if (there !== null) {
      there.close();
      continue;
    }
    mkdirAllInRoot(rootfs, prefix, mode).close();
    using made = findInRoot(rootfs, prefix, O.RDONLY | O.DIRECTORY) ?? undefined;
    if (made === undefined) continue;
    if (owner !== null) check(syscall("fchown", made.number, owner.uid, owner.gid), () => `chown ${prefix}`);
    check(syscall("fchmod", made.number, mode), () => `chmod ${prefix}`);
  }
  const found = findInRoot(rootfs, path, O.RDONLY | O.DIRECTORY);
  if (found === null) throw new Error(`cannot make the directory ${path}`);
  return found;
}

/** Whether a directory is at a path, or a symlink leads to one. */
export function isDirectoryInRoot(rootfs: Fd, path: string): boolean {
  using found = findInRoot(rootfs, path, O.PATH) ?? undefined;
  if (found === undefined) return false;
  const stat = statAt(found.number, SELF);
  return typeof stat !== "number" && isDirectory(stat);
}

class Copier {
  /** First places of files that have several names, by device and inode. */
  readonly #links = new Map<string, { directory: number; name: ByteName }>();

  constructor(
    readonly tree: SourceTree,
    readonly target: CopyTarget,
  ) {}

  item(item: SelectedItem): void {
    const { rootfs, destination, owner } = this.target;
    const root = item.files[0];
    if (root === undefined) return;
    this.#links.clear();
    if (item.parents !== null) return this.#withParents(item, item.parents, root);
    if (item.kind === "directory") return this.#directory(item, destination.replace(/(.)\/$/, "$1"));
    const isInto = destination.endsWith("/") || isDirectoryInRoot(rootfs, destination);
    const path = isInto ? `${destination.replace(/\/$/, "")}/` : destination;
    const name = isInto ? baseOf(item.name) : nameOfText(path.slice(path.lastIndexOf("/") + 1));
    using directory = makeDirectories(rootfs, path.slice(0, path.lastIndexOf("/")) || "/", owner);
    this.#file(root, directory.number, name);
  }

  /** Its contents go into the destination. Where that is missing it is made as any directory on the way, but for `--chmod`, which is for it, too. */
  #directory(item: SelectedItem, destination: string): void {
    const { rootfs, owner, mode } = this.target;
    const isThere = isDirectoryInRoot(rootfs, destination);
    using directory = makeDirectories(rootfs, destination, owner);
    this.#below(directory.number, item.files.slice(1));
    if (isThere || mode === null) return;
    check(syscall("fchmod", directory.number, mode(DIRECTORY_MODE, true)), () => `chmod ${destination}`);
  }

  #withParents(item: SelectedItem, parents: readonly SelectedFile[], root: SelectedFile): void {
    const { rootfs, destination, owner } = this.target;
    using directory = makeDirectories(rootfs, destination, owner);
    const last = parents.at(-1)?.below ?? SELF;
    const place = joinNames(last, baseOf(item.name));
    const files = item.files.map((file) => ({ ...file, below: file === root ? place : joinNames(place, file.below) }));
    this.#below(directory.number, [...parents, ...files]);
  }

  /** Copies files below an open directory, parents first; directories get their attributes in the end. */
  #below(top: number, files: readonly SelectedFile[]): void {
    const open = new Map<ByteName, number>([[SELF, top]]);
    const made: { fd: number; file: SelectedFile }[] = [];
    try {
      for (const file of files) {
        const parent = open.get(parentOf(file.below));
        if (parent === undefined) throw new Error(`the directory of ${printable(file.below)} is not there`);
        const name = baseOf(file.below);
        if (!isDirectory(file.stat)) {
          this.#file(file, parent, name);
          continue;
        }
        const fd = this.#openDirectory(parent, name, file.below);
        open.set(file.below, fd);
        made.push({ fd, file });
      }
      for (const { fd, file } of made.reverse()) this.#finishDirectory(fd, file);
    } finally {
      for (const [path, fd] of open) if (path !== SELF) closeFd(fd);
    }
  }

  /** A symlink to a directory is gone through, within the root filesystem; whatever else is in the way is replaced. */
  #openDirectory(parent: number, name: ByteName, path: ByteName): number {
    const what = () => `make the directory ${printable(path)}`;
    const result = mkdirAt(parent, name, 0o700);
    if (result === -ERRNO.EEXIST) {
      const there = statAt(parent, name) as Stat;
      if (isType(there, "symlink")) {
        const followed = this.#follow(parent, name);
        if (followed !== null) return followed;
      }
      if (!isDirectory(there)) {
        removeTreeAt(parent, name);
        check(mkdirAt(parent, name, 0o700), what);
      }
    } else check(result, what);
    return check(openAt(parent, name, O.RDONLY | O.DIRECTORY), what);
  }

  #follow(parent: number, name: ByteName): number | null {
    const place = pathBelow(this.target.rootfs, parent);
    if (place === null) return null;
    const found = findInRoot(this.target.rootfs, `${place}/${decode(bytesOfName(name))}`, O.RDONLY | O.DIRECTORY);
    return found === null ? null : found.release();
  }

  /** By its directory: xattrs of a file are read by its name. */
  #attributesIn(path: ByteName, stat: Stat): Attributes {
    const parent = this.tree.open(parentOf(path), O.RDONLY | O.DIRECTORY);
    const attributes = this.#attributes(parent, baseOf(path), stat);
    closeFd(parent);
    return attributes;
  }

  #attributes(fd: number, name: ByteName, stat: Stat): Attributes {
    const all = xattrsAt(fd, name);
    const xattrs = new Map(typeof all === "number" ? [] : all);
    for (const key of xattrs.keys()) if (/^(trusted|user)\.overlay\./.test(key)) xattrs.delete(key);
    const { owner, mode } = this.target;
    const kept = stat.mode & 0o7777;
    return {
      mode: mode === null ? kept : mode(kept, isDirectory(stat)),
      uid: owner?.uid ?? stat.uid,
      gid: owner?.gid ?? stat.gid,
      xattrs,
    };
  }

  #finishDirectory(fd: number, { path, stat }: SelectedFile): void {
    const source = this.tree.open(path, O.RDONLY | O.DIRECTORY);
    const attributes = this.#attributes(source, SELF, stat);
    closeFd(source);
    setFileAttributes(fd, path, attributes, this.target.context);
    check(utimesAt(fd, SELF, stat.mtime, stat.mtime), () => `set the times of ${printable(path)}`);
  }

  #file(file: SelectedFile, directory: number, name: ByteName): void {
    const { path, stat } = file;
    const what = () => `copy ${printable(path)}`;
    const there = statAt(directory, name);
    if (typeof there !== "number") {
      if (isDirectory(there) && !this.target.replacesDirectories)
        throw new Error(`"${printable(path)}" is no directory, and cannot replace one that is there`);
      removeTreeAt(directory, name);
    }
    const key = `${stat.dev}:${stat.ino}`;
    const first = stat.links > 1 ? this.#links.get(key) : undefined;
    if (first !== undefined && linkAt(first.directory, first.name, directory, name) === 0) return;
    if (isType(stat, "regular")) this.#regular(file, directory, name, what);
    else this.#node(file, directory, name, what);
    if (stat.links > 1) this.#links.set(key, { directory, name });
  }

  #regular({ path, stat }: SelectedFile, directory: number, name: ByteName, what: () => string): void {
    const source = this.tree.open(path, O.RDONLY | O.NONBLOCK);
    const copy = openAt(directory, name, O.WRONLY | O.CREAT | O.EXCL, 0o600);
    try {
      check(copy, what);
      const attributes = this.#attributesIn(path, stat);
      copyContent(source, copy, what);
      setFileAttributes(copy, path, attributes, this.target.context);
      check(utimesAt(copy, SELF, stat.mtime, stat.mtime), what);
    } finally {
      closeFd(source);
      if (copy >= 0) closeFd(copy);
    }
  }

  #node({ path, stat }: SelectedFile, directory: number, name: ByteName, what: () => string): void {
    const isLink = isType(stat, "symlink");
    if (isType(stat, "socket")) return;
    check(
      isLink
        ? symlinkAt(this.tree.readLink(path), directory, name)
        : mknodAt(directory, name, stat.mode, smallDevice(stat.rdev)),
      what,
    );
    const attributes = this.#attributesIn(path, stat);
    setNodeAttributes(directory, name, path, attributes, isLink, this.target.context);
    check(utimesAt(directory, name, stat.mtime, stat.mtime), what);
  }
}

/** Where an open directory is below another, as its path says. */
function pathBelow(root: Fd, directory: number): string | null {
  const [top, path] = [root.number, directory].map((fd) => linkText(fd)) as [string, string];
  if (path === top) return "";
  return path.startsWith(`${top}/`) ? path.slice(top.length) : null;
}

function linkText(fd: number): string {
  const memory = new Uint8Array(4096);
  const length = check(
    syscall("readlinkat", AT_FDCWD, `/proc/self/fd/${fd}`, memory, memory.length),
    "read a descriptor's link",
  );
  return decode(memory.subarray(0, length));
}
