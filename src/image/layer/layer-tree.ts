/**
 * The directories of the tree that a layer is extracted to: opened, made where they are missing, and given their times in the end.
 *
 * A symlink in the place of a directory is followed as in the container: from the root directory of the tree, and never out of it. The
 * kernel resolves without symlinks (`RESOLVE_NO_SYMLINKS`); a symlink that it meets is read and resolved here, a component at a time.
 */
import { chmodOpened, closeFd, mkdirAt, openBeneath, readLinkAt, statAt, utimesAt } from "../../sys/at.ts";
import { type ByteName, baseOf, componentsOf, joinNames, parentOf, printable } from "../../sys/byte-name.ts";
import { ERRNO } from "../../sys/errno.ts";
import { check } from "../../sys/error.ts";
import { type Fd, O, open } from "../../sys/fd.ts";
import { isDirectory, isType } from "../../sys/stat.ts";
import { xattrsAt } from "../../sys/xattr.ts";
import { type Attributes, setDirectoryAttributes } from "./attributes.ts";
import type { ExtractContext } from "./extract-context.ts";
import { LayerError, quoted } from "./layer-error.ts";
import type { Found, LowerLayers } from "./lower-layers.ts";
import { removeTreeAt } from "./remove-tree.ts";

const { EACCES, EEXIST, ELOOP, ENOENT, ENOTDIR } = ERRNO;

/** The kernel's own limit of symlinks in one lookup. @see path_resolution(7) */
const MAX_SYMLINKS = 40;

/** Directories that are kept open: entries of one come one after the other. */
const KEPT_OPEN = 64;

const ROOT = "" as ByteName;

/** Times of a directory, in nanoseconds since 1970. */
interface Times {
  atime: bigint;
  mtime: bigint;
}

export class LayerTree implements Disposable {
  readonly #open = new Map<ByteName, number>();
  /** Times that directories get in the end; what is made in them changes them meanwhile. */
  readonly #times = new Map<ByteName, Times>();
  /** Permissions that directories get in the end, where this process has no way around them: it opens them for itself meanwhile. */
  readonly #modes = new Map<ByteName, number>();
  /** What this layer made or went through: what its whiteouts do not remove. `null` where there are no lower layers in this tree. */
  readonly written: Set<ByteName> | null;
  /** Files of lower layers that are here for the sake of a hard link alone: this layer's whiteouts do remove them. */
  readonly copiedUp = new Set<ByteName>();

  /**
   * @param root     of the tree
   * @param lower    layers that lie below it and not in it; for a tree that has all layers in it, none
   * @param isHidden whether the layer hides what lower layers have at a path
   * @param isEmpty  whether the tree is that of this layer alone
   */
  constructor(
    readonly root: Fd,
    readonly lower: LowerLayers,
    readonly isHidden: (path: ByteName) => boolean,
    isEmpty: boolean,
    private readonly context: ExtractContext,
  ) {
    this.written = isEmpty ? null : new Set();
  }

  /**
   * A directory, with what is missing of it made: with the attributes that lower layers have for it, or as root's with mode 0755.
   * @returns its descriptor, open until many others have been asked for, and its path without symlinks
   * @throws {LayerError} when a file is in the way
   */
  directory(path: ByteName): { fd: number; path: ByteName } {
    const fd = this.existing(path);
    if (fd !== null) return { fd, path };
    const resolved = this.#walk(path);
    return { fd: this.existing(resolved) ?? check(-ENOENT, () => `open ${printable(resolved)}`), path: resolved };
  }

  /** A directory that is there, with no symlink on the way. @returns `null` when it is not */
  existing(path: ByteName): number | null {
    const known = this.#open.get(path);
    if (known !== undefined) {
      this.#open.delete(path);
      this.#open.set(path, known);
      return known;
    }
    let fd = openBeneath(this.root.number, path, O.RDONLY | O.DIRECTORY);
    if (fd === -EACCES && this.#unlockWay(path)) fd = openBeneath(this.root.number, path, O.RDONLY | O.DIRECTORY);
    if (fd === -ENOENT || fd === -ENOTDIR || fd === -ELOOP) return null;
    check(fd, () => `open ${printable(path)}`);
    this.#unlock(path, fd);
    this.#keep(path, fd);
    return fd;
  }

  /** Opens a directory of this user's own for itself. @param fd it may be open as a path only */
  #unlock(path: ByteName, fd: number): void {
    if (this.context.owners !== "own") return;
    const stat = statAt(fd, ROOT);
    if (typeof stat === "number" || !isDirectory(stat) || (stat.mode & 0o700) === 0o700) return;
    if (!this.#modes.has(path)) this.#modes.set(path, stat.mode & 0o7777);
    check(chmodOpened(fd, (stat.mode & 0o7777) | 0o700), () => `chmod ${printable(path)}`);
  }

  /** Does so with all directories on the way to one, and with that. @returns whether there is anything to try again */
  #unlockWay(path: ByteName): boolean {
    if (this.context.owners !== "own") return false;
    const components = componentsOf(path);
    for (let count = 1; count <= components.length; count++) {
      const prefix = components.slice(0, count).join("/") as ByteName;
      const fd = openBeneath(this.root.number, prefix, O.PATH | O.NOFOLLOW);
      if (fd < 0) return true;
      this.#unlock(prefix, fd);
      closeFd(fd);
    }
    return true;
  }

  /** Sets a directory's attributes; its permissions in the end, where this process could not go on in it otherwise. */
  setAttributes(path: ByteName, fd: number, attributes: Attributes): void {
    const delayed = this.context.owners === "own" && (attributes.mode & 0o700) !== 0o700;
    if (delayed) this.#modes.set(path, attributes.mode);
    else this.#modes.delete(path);
    setDirectoryAttributes(
      fd,
      path,
      delayed ? { ...attributes, mode: attributes.mode | 0o700 } : attributes,
      this.context,
    );
  }

  #keep(path: ByteName, fd: number): void {
    this.#open.set(path, fd);
    if (this.#open.size > KEPT_OPEN) {
      const [oldest, oldestFd] = this.#open.entries().next().value as [ByteName, number];
      this.#open.delete(oldest);
      closeFd(oldestFd);
    }
    if (!this.#times.has(path)) {
      const stat = statAt(fd, ROOT);
      if (typeof stat !== "number") this.#times.set(path, { atime: stat.atime, mtime: stat.mtime });
    }
    this.markWritten(path);
  }

  /** Remembers that this layer has something at a path. */
  markWritten(path: ByteName): void {
    for (let at = path; this.written !== null && at !== ROOT && !this.written.has(at); at = parentOf(at)) {
      this.written.add(at);
    }
  }

  /** The times that a directory gets in the end. */
  setTimes(path: ByteName, times: Times): void {
    this.#times.set(path, times);
  }

  /** Closes what is open of a directory that goes away, and of all below it. */
  forget(path: ByteName): void {
    this.#times.delete(path);
    for (const known of this.#modes.keys())
      if (known === path || known.startsWith(`${path}/`)) this.#modes.delete(known);
    for (const [known, fd] of this.#open) {
      if (known !== path && !known.startsWith(`${path}/`)) continue;
      this.#open.delete(known);
      closeFd(fd);
    }
  }

  /** Removes what is at a path, if anything is. */
  remove(path: ByteName): void {
    const parent = this.existing(parentOf(path));
    if (parent === null || typeof statAt(parent, baseOf(path)) === "number") return;
    removeTreeAt(parent, baseOf(path));
    this.forget(path);
  }

  /** Gives the root directory what lower layers have for it: a mount shows that of the uppermost layer. */
  inheritRoot(): void {
    const below = this.lower.find(ROOT);
    if (below === null) return;
    const attributes = this.#attributesOf(below, ROOT);
    // The caller's descriptor may be one by which only paths are found (O_PATH).
    using root = open(".", O.RDONLY | O.DIRECTORY, 0, this.root.number);
    setDirectoryAttributes(root.number, ROOT, attributes, this.context);
    this.#times.set(ROOT, attributes);
  }

  /** Sets the times of all directories that were changed. */
  finish(): void {
    for (const [path, { atime, mtime }] of this.#times) {
      const kept = this.#open.get(path);
      const fd = kept ?? openBeneath(this.root.number, path, O.PATH | O.DIRECTORY);
      if (fd < 0) continue; // it has been replaced
      const result = utimesAt(fd, ROOT, atime, mtime);
      if (kept === undefined) closeFd(fd);
      check(result, () => `set the times of ${printable(path)}`);
    }
    // The deepest first: afterwards there may be no way to them.
    for (const [path, mode] of [...this.#modes].sort(([one], [other]) => other.length - one.length)) {
      const fd = openBeneath(this.root.number, path, O.PATH | O.DIRECTORY);
      if (fd < 0) continue; // it has been replaced
      const result = chmodOpened(fd, mode);
      closeFd(fd);
      check(result, () => `chmod ${printable(path)}`);
    }
  }

  [Symbol.dispose](): void {
    for (const fd of this.#open.values()) closeFd(fd);
    this.#open.clear();
  }

  /** Goes through a path, following symlinks and making what is missing. @returns the directory's path without symlinks */
  #walk(path: ByteName): ByteName {
    let pending = componentsOf(path);
    let resolved = ROOT;
    let links = 0;
    while (pending.length > 0) {
      const [component, ...rest] = pending as [ByteName, ...ByteName[]];
      pending = rest;
      if (component === "..") {
        resolved = parentOf(resolved);
        continue;
      }
      const next = joinNames(resolved, component);
      if (this.existing(next) === null) {
        const target = this.#makeOrRead(resolved, next, path);
        if (target !== null) {
          if (++links > MAX_SYMLINKS)
            throw new LayerError(`${quoted(path)} goes through more than ${MAX_SYMLINKS} symlinks`);
          if (target.startsWith("/")) resolved = ROOT;
          pending = [...componentsOf(target), ...rest];
          continue;
        }
      }
      resolved = next;
    }
    return resolved;
  }

  /** Makes a directory that is missing. @returns the target of a symlink that is there instead, and `null` for one made */
  #makeOrRead(parent: ByteName, path: ByteName, wanted: ByteName): ByteName | null {
    const parentFd = this.existing(parent) ?? check(-ENOENT, () => `open ${printable(parent)}`);
    const name = baseOf(path);
    const there = statAt(parentFd, name);
    if (typeof there !== "number") {
      if (isType(there, "symlink")) return readLinkAt(parentFd, name);
      // What an earlier layer had makes way; what this layer has itself cannot be both.
      if (this.written === null || this.written.has(path)) {
        throw new LayerError(`${quoted(wanted)} goes through ${quoted(path)}, which is no directory`);
      }
      removeTreeAt(parentFd, name);
      this.forget(path);
    }
    const below = this.isHidden(path) ? null : this.lower.find(path);
    if (below !== null && isType(below.stat, "symlink")) return this.#lowerTarget(below, path);
    this.make(parentFd, path, below !== null && isDirectory(below.stat) ? this.#attributesOf(below, path) : null);
    return null;
  }

  #lowerTarget({ root }: Found, path: ByteName): ByteName {
    const fd = openBeneath(root, path, O.PATH | O.NOFOLLOW);
    const target = fd < 0 ? null : readLinkAt(fd, ROOT);
    if (fd >= 0) closeFd(fd);
    return target ?? (check(-ENOENT, () => `readlink ${printable(path)}`) as never);
  }

  #attributesOf({ root, stat }: Found, path: ByteName): Attributes & Times {
    const fd = check(openBeneath(root, path, O.RDONLY | O.DIRECTORY), () => `open ${printable(path)}`);
    const all = xattrsAt(fd, ROOT);
    closeFd(fd);
    const xattrs = typeof all === "number" ? new Map<ByteName, ByteName>() : all;
    for (const name of xattrs.keys()) if (/^(trusted|user)\.overlay\./.test(name)) xattrs.delete(name);
    return { mode: stat.mode & 0o7777, uid: stat.uid, gid: stat.gid, xattrs, atime: stat.atime, mtime: stat.mtime };
  }

  /** Makes a directory. @param attributes those of a directory that is not the layer's own; `null` for the usual ones */
  make(parent: number, path: ByteName, attributes: (Attributes & Times) | null): number {
    const made = mkdirAt(parent, baseOf(path), 0o755);
    if (made !== -EEXIST) check(made, () => `make directory ${printable(path)}`);
    const fd = check(openBeneath(this.root.number, path, O.RDONLY | O.DIRECTORY), () => `open ${printable(path)}`);
    if (attributes !== null) {
      this.#times.set(path, { atime: attributes.atime, mtime: attributes.mtime });
      this.setAttributes(path, fd, attributes);
    } else {
      this.setAttributes(path, fd, { mode: 0o755, uid: 0, gid: 0, xattrs: new Map() });
    }
    this.#keep(path, fd);
    return fd;
  }
}
