/** What a COPY or ADD takes: the files of its sources, where each goes, and a digest of it all. */
import { readSync } from "node:fs";
import { closeFd } from "../../../sys/at.ts";
import { type ByteName, baseOf, parentOf } from "../../../sys/byte-name.ts";
import { O } from "../../../sys/fd.ts";
import { createHash, type Hash } from "../../../sys/hash.ts";
import { isDirectory, isType } from "../../../sys/stat.ts";
import { xattrsAt } from "../../../sys/xattr.ts";
import { DockerfileError } from "../language/position.ts";
import { IgnoreRules } from "../paths/ignore.ts";
import { hasPattern } from "../paths/pattern.ts";
import type { CopyStep } from "../plan/steps.ts";
import { type SourceTree, type TreeFile, textOf } from "./tree.ts";

/** A file to be copied. */
export interface SelectedFile extends TreeFile {
  /** Where it goes, relative to the item's place; empty for the item itself. */
  below: ByteName;
}

/** One source. */
export interface SelectedItem {
  /** As it was called. */
  name: ByteName;
  kind: "directory" | "file";
  /** For `--parents`: directories of the source that are made on the way. `null` where none are kept, and for what the pivot itself names. */
  parents: SelectedFile[] | null;
  /** Itself, and all below, parents first. */
  files: SelectedFile[];
}

const SELF = "" as ByteName;

/**
 * @param onNothing is told of a source that is a pattern and matches nothing
 * @throws {DockerfileError} at the source that is not there, or that leads out
 */
export function selectFiles(
  step: Pick<CopyStep, "exclude" | "parents" | "sources">,
  tree: SourceTree,
  onNothing: (source: CopyStep["sources"][number]) => void = () => {},
): SelectedItem[] {
  const exclude = step.exclude.length === 0 ? null : IgnoreRules.of(step.exclude);
  return step.sources.flatMap((one) => {
    const { text, at } = one;
    try {
      const found = step.parents
        ? findFromPivots(tree, text)
        : tree.find(text).map((item) => ({ ...item, pivot: null }));
      if (found.length === 0) onNothing(one);
      return found.flatMap((item) => selected(tree, item, exclude));
    } catch (error) {
      throw error instanceof DockerfileError ? error : new DockerfileError(at, (error as Error).message);
    }
  });
}

/** What a source names, and, with `--parents`, where the kept part of its path begins. */
interface Found {
  name: ByteName;
  file: TreeFile;
  pivot: ByteName | null;
}

/** With `--parents`, `./` in the middle says where the kept part begins. What is before it may be a pattern, too. */
function findFromPivots(tree: SourceTree, source: string): Found[] {
  const at = source.indexOf("/./");
  if (at === -1) return tree.find(source, true).map((item) => ({ ...item, pivot: SELF }));
  const [before, after] = [source.slice(0, at), source.slice(at + 3)];
  const isPattern = hasPattern(before);
  return tree.find(before).flatMap(({ name, file }) => {
    // Of what a pattern finds, what has nothing there is passed over.
    if (isPattern && !isDirectory(file.stat)) return [];
    return tree.find(after, true, { name, text: source, isPattern }).map((item) => ({ ...item, pivot: name }));
  });
}

/** None where the source itself is left out. */
function selected(tree: SourceTree, { name, file, pivot }: Found, exclude: IgnoreRules | null): SelectedItem[] {
  const kind = isDirectory(file.stat) ? "directory" : "file";
  const root = { ...file, below: SELF };
  const parents = pivot === null ? null : parentsOf(tree, name, pivot);
  // Patterns count from the directory that is copied; with `--parents`, from where the kept part begins.
  const top = pivot === null || name === pivot ? SELF : belowPivot(name, pivot);
  const below = kind === "file" && pivot === null ? baseOf(name) : top;
  const isLeftOut = below !== SELF && (exclude?.excludes(textOf(below)) ?? false);
  if (isLeftOut && (kind === "file" || !exclude?.hasExceptions)) return [];
  if (kind === "file") return [{ name, kind, parents, files: [root] }];
  const rules =
    exclude === null || top === SELF
      ? exclude
      : {
          excludes: (path: string) => exclude.excludes(`${textOf(top)}/${path}`),
          hasExceptions: exclude.hasExceptions,
        };
  const files = [...tree.walk(file.path, rules)];
  return isLeftOut && files.length === 0 ? [] : [{ name, kind, parents, files: [root, ...files] }];
}

function belowPivot(name: ByteName, pivot: ByteName): ByteName {
  return pivot === SELF ? name : (name.slice(pivot.length + 1) as ByteName);
}

/** The directories between the pivot and a source; `null` for what the pivot itself names. */
function parentsOf(tree: SourceTree, name: ByteName, pivot: ByteName): SelectedFile[] | null {
  if (name === pivot) return null;
  const parents: SelectedFile[] = [];
  for (let at = parentOf(name); at !== SELF && at !== pivot; at = parentOf(at)) {
    const file = tree.resolve(at);
    if (file !== null && isDirectory(file.stat)) parents.unshift({ ...file, below: belowPivot(at, pivot) });
  }
  return parents;
}

/** Digests what was selected: names, types, permissions and contents; times do not count. */
export function digestOfFiles(tree: SourceTree, items: readonly SelectedItem[]): string {
  const hash = createHash("sha256");
  for (const item of items) {
    hash.update(`item ${item.kind} ${baseOf(item.name).length} ${baseOf(item.name)}\0`, "latin1");
    for (const file of [...(item.parents ?? []), ...item.files]) addFile(hash, tree, file);
  }
  return hash.digest("hex");
}

function addFile(hash: Hash, tree: SourceTree, { path, stat, below }: SelectedFile): void {
  const owner = tree.owners === "kept" ? `${stat.uid}:${stat.gid}` : "";
  hash.update(`${below.length} ${below} ${stat.mode.toString(8)} ${owner} `, "latin1");
  if (isType(stat, "symlink")) {
    hash.update(`${tree.readLink(path)}\0`, "latin1");
    return;
  }
  if (!isType(stat, "regular")) {
    hash.update(`${isDirectory(stat) ? "" : stat.rdev}\0`, "latin1");
    return;
  }
  const fd = tree.open(path, O.RDONLY | O.NONBLOCK);
  try {
    const parent = tree.open(parentOf(path), O.RDONLY | O.DIRECTORY);
    const xattrs = xattrsAt(parent, baseOf(path));
    closeFd(parent);
    if (typeof xattrs !== "number") for (const [key, value] of xattrs) hash.update(`${key}=${value}\0`, "latin1");
    hash.update(`${stat.size}\0`);
    eachChunk(fd, (chunk) => hash.update(chunk));
  } finally {
    closeFd(fd);
  }
}

const memory = Buffer.allocUnsafeSlow(1 << 18);

/** Reads an open file to its end. */
export function eachChunk(fd: number, take: (chunk: Uint8Array) => void): void {
  for (
    let count = readSync(fd, memory, 0, memory.length, null);
    count > 0;
    count = readSync(fd, memory, 0, memory.length, null)
  ) {
    take(memory.subarray(0, count));
  }
}
