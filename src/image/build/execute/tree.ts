/**
 * A tree that a build copies from: the context, or the files of a stage or image. Nothing outside of it is read.
 *
 * Symlinks that a source names, or goes through, are resolved here, a component at a time, and what comes out is opened by openat2(2) without
 * following any: whoever changes the tree meanwhile leads nobody out.
 */
import { closeFd, listDirectory, openBeneath, readLinkAt, statAt } from "../../../sys/at.ts";
import {
  type ByteName,
  baseOf,
  bytesOfName,
  componentsOf,
  joinNames,
  nameOfText,
  parentOf,
  printable,
} from "../../../sys/byte-name.ts";
import { ERRNO } from "../../../sys/errno.ts";
import { check } from "../../../sys/error.ts";
import { type Fd, O } from "../../../sys/fd.ts";
import { isDirectory, isType, type Stat } from "../../../sys/stat.ts";
import { decode } from "../../../sys/text.ts";
import type { IgnoreRules } from "../paths/ignore.ts";
import { compilePattern, hasPattern } from "../paths/pattern.ts";

const SELF = "" as ByteName;
const MAX_SYMLINKS = 40;

/** Something in a tree: its path without symlinks, relative to the root directory. */
export interface TreeFile {
  path: ByteName;
  stat: Stat;
}

/** Where the kept part of a source begins: see `--parents`. */
interface Pivot {
  name: ByteName;
  /** The whole source as it is written, for messages. */
  text: string;
  /** Whether a pattern has found it: then it need not have what is wanted. */
  isPattern: boolean;
}

export class SourceTree {
  /**
   * @param label for messages: `the context`
   * @param isJail whether a source that leads out by `..` is an error; in the files of an image it is one from their root directory
   * @param owners whether files keep theirs; those of a context become root's
   */
  constructor(
    readonly root: Fd,
    readonly label: string,
    readonly isJail: boolean,
    readonly owners: "kept" | "root",
    readonly ignore: IgnoreRules,
  ) {}

  /**
   * What a source names: one path, or all that match a pattern, in the order of their names.
   * @param pivot where the source begins, if not at the root
   * @param isDeep whether `**` stands for any directories, or none, as with `--parents`; else it is a `*`, as Go's matcher has it
   * @returns none where a pattern matches nothing
   * @throws {Error} for one that leads out, and for a name where there is nothing
   */
  find(source: string, isDeep = false, pivot: Pivot | null = null): { name: ByteName; file: TreeFile }[] {
    const text = pivot?.text ?? source;
    const components = this.#components(source, text);
    let found: ByteName[] = [pivot?.name ?? SELF];
    let looked = found;
    for (const [index, component] of components.entries()) {
      const isAny = isDeep && component === "**" && index < components.length - 1;
      const step = (directory: ByteName) => (isAny ? this.#directories(directory) : this.#step(directory, component));
      looked = found;
      found = [...new Set(found.flatMap(step))];
      if (found.length === 0) break;
    }
    const files = found.flatMap((name) => {
      const file = this.resolve(name);
      return file === null || this.isIgnored(file.path) || (name !== SELF && this.isIgnored(name))
        ? []
        : [{ name, file }];
    });
    if (files.length > 0) return files;
    const isPattern = pivot?.isPattern || components.some(hasPattern);
    const quoted = JSON.stringify(text);
    if (!isPattern && found.some((name) => this.resolve(name) !== null))
      throw new Error(`${quoted} is left out of ${this.label} by its ignore file`);
    if ((found.length > 0 ? found : looked).some((name) => this.resolve(name) === null && this.stat(name) !== null))
      throw new Error(`${quoted} is a symlink to what is not in ${this.label}`);
    if (isPattern) return [];
    throw new Error(`${quoted} is not in ${this.label}`);
  }

  /** A path that leads out of the context is refused, whether it comes back or not. @param text what the refusal names */
  #components(source: string, text: string): string[] {
    let depth = 0;
    const components: string[] = [];
    for (const component of source.split("/")) {
      if (component === "" || component === ".") continue;
      depth += component === ".." ? -1 : 1;
      if (depth < 0 && this.isJail)
        throw new Error(`${JSON.stringify(text)} leads out of ${this.label}, which is all that is read`);
      if (component !== "..") components.push(component);
      else components.pop();
      depth = Math.max(0, depth);
    }
    return components;
  }

  /** A directory, and all below it, through no symlinks. */
  #directories(directory: ByteName): ByteName[] {
    const file = this.resolve(directory);
    if (file === null || !isDirectory(file.stat)) return [];
    const below = this.list(file.path)
      .map((name) => joinNames(file.path, name))
      .filter((path) => {
        const stat = this.stat(path);
        return stat !== null && isDirectory(stat);
      });
    return [directory, ...below.flatMap((path) => this.#directories(path))];
  }

  #step(directory: ByteName, component: string): ByteName[] {
    if (!hasPattern(component)) return [joinNames(directory, nameOfText(component))];
    const pattern = compilePattern(component === "**" ? "*" : component);
    const file = this.resolve(directory);
    if (file === null || !isDirectory(file.stat)) return [];
    return this.list(file.path)
      .filter((name) => pattern.matches(textOf(name)))
      .map((name) => joinNames(directory, name));
  }

  /** The names in a directory, in the order of their bytes. */
  list(path: ByteName): ByteName[] {
    const fd = this.open(path, O.RDONLY | O.DIRECTORY);
    try {
      const entries = listDirectory(fd);
      if (typeof entries === "number") return check(entries, () => `read ${printable(path)}`) as never;
      return entries.map(({ name }) => name).sort();
    } finally {
      closeFd(fd);
    }
  }

  /** Opens what is at a path without symlinks. @throws {SyscallError} */
  open(path: ByteName, flags: number): number {
    return check(
      openBeneath(this.root.number, path, flags | O.NOFOLLOW),
      () => `open ${printable(path) || "."} in ${this.label}`,
    );
  }

  /** What is at a path without symlinks, itself. @returns `null` for nothing */
  stat(path: ByteName): Stat | null {
    if (path === SELF) return statAt(this.root.number, SELF) as Stat;
    const parent = openBeneath(this.root.number, parentOf(path), O.PATH | O.DIRECTORY);
    if (parent < 0) return null;
    const stat = statAt(parent, baseOf(path));
    closeFd(parent);
    return typeof stat === "number" ? null : stat;
  }

  /** The target of a symlink at a path without others. */
  readLink(path: ByteName): ByteName {
    const parent = this.open(parentOf(path), O.PATH | O.DIRECTORY);
    const target = readLinkAt(parent, baseOf(path));
    closeFd(parent);
    return target ?? (check(-ERRNO.EINVAL, () => `read the link ${printable(path)}`) as never);
  }

  /**
   * Follows symlinks, which count from the root directory and end there, as for a program that has no other.
   * @returns `null` where there is nothing
   * @throws {Error} after too many
   */
  resolve(path: ByteName): TreeFile | null {
    let pending = componentsOf(path);
    let resolved = SELF;
    let stat = this.stat(SELF) as Stat;
    for (let links = 0; pending.length > 0; ) {
      const [component, ...rest] = pending as [ByteName, ...ByteName[]];
      pending = rest;
      if (component === "..") {
        resolved = parentOf(resolved);
        stat = this.stat(resolved) as Stat;
        continue;
      }
      const next = joinNames(resolved, component);
      const there = this.stat(next);
      if (there === null) return null;
      if (!isType(there, "symlink")) {
        resolved = next;
        stat = there;
        continue;
      }
      if (++links > MAX_SYMLINKS)
        throw new Error(`"${printable(path)}" goes through more than ${MAX_SYMLINKS} symlinks`);
      const target = this.readLink(next);
      if (target.startsWith("/")) {
        resolved = SELF;
        stat = this.stat(SELF) as Stat;
      }
      pending = [...componentsOf(target), ...rest];
    }
    return { path: resolved, stat };
  }

  isIgnored(path: ByteName): boolean {
    if (this.ignore.isEmpty || !this.ignore.excludes(textOf(path))) return false;
    // Something in it may be an exception.
    if (!this.ignore.hasExceptions) return true;
    const stat = this.stat(path);
    return stat === null || !isDirectory(stat) || this.walk(path).next().done === true;
  }

  /**
   * All that is below a directory, parents first, links as links; what is ignored is left out.
   * @param exclude rules relative to the directory
   */
  *walk(
    directory: ByteName,
    exclude: Pick<IgnoreRules, "excludes" | "hasExceptions"> | null = null,
    below: ByteName = SELF,
  ): Generator<TreeFile & { below: ByteName }> {
    for (const name of this.list(directory)) {
      const path = joinNames(directory, name);
      const relative = joinNames(below, name);
      const stat = this.stat(path);
      if (stat === null) continue;
      const isLeftOut = this.ignore.excludes(textOf(path)) || (exclude?.excludes(textOf(relative)) ?? false);
      if (!isDirectory(stat)) {
        if (!isLeftOut) yield { path, stat, below: relative };
        continue;
      }
      if (isLeftOut && !this.ignore.hasExceptions && !(exclude?.hasExceptions ?? false)) continue;
      if (!isLeftOut) yield { path, stat, below: relative };
      let isTold = !isLeftOut;
      for (const file of this.walk(path, exclude, relative)) {
        if (!isTold) yield { path, stat, below: relative };
        isTold = true;
        yield file;
      }
    }
  }
}

/** A path as text, for patterns. */
export function textOf(name: ByteName): string {
  return decode(bytesOfName(name));
}
