/** What a COPY or ADD takes: the files of its sources, where each goes, and a digest of it all. */
import { readSync } from "node:fs";
import { closeFd } from "../../../sys/at.ts";
import { type ByteName, baseOf, nameOfText, parentOf } from "../../../sys/byte-name.ts";
import { O } from "../../../sys/fd.ts";
import { createHash, type Hash } from "../../../sys/hash.ts";
import { isDirectory, isType } from "../../../sys/stat.ts";
import { xattrsAt } from "../../../sys/xattr.ts";
import { DockerfileError } from "../language/position.ts";
import { IgnoreRules } from "../paths/ignore.ts";
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
      const [prefix, source] = step.parents ? pivot(text) : ["", text];
      const found = tree.find(joined(prefix, source), step.parents);
      if (found.length === 0) onNothing(one);
      return found
        .filter(
          ({ file, name }) => exclude === null || isDirectory(file.stat) || !exclude.excludes(textOf(baseOf(name))),
        )
        .map(({ name, file }) => selected(tree, name, file, exclude, step.parents ? prefix : null));
    } catch (error) {
      throw error instanceof DockerfileError ? error : new DockerfileError(at, (error as Error).message);
    }
  });
}

/** With `--parents`, `./` in the middle says where the kept part begins. */
function pivot(source: string): [prefix: string, rest: string] {
  const at = source.indexOf("/./");
  return at === -1 ? ["", source] : [source.slice(0, at), source.slice(at + 3)];
}

function joined(prefix: string, source: string): string {
  return prefix === "" ? source : `${prefix}/${source}`;
}

function selected(
  tree: SourceTree,
  name: ByteName,
  file: TreeFile,
  exclude: IgnoreRules | null,
  prefix: string | null,
): SelectedItem {
  const root = { ...file, below: SELF };
  const files = isDirectory(file.stat) ? [root, ...tree.walk(file.path, exclude)] : [root];
  const kind = isDirectory(file.stat) ? "directory" : "file";
  return { name, kind, parents: prefix === null ? null : parentsOf(tree, name, prefix), files };
}

/** The directories between the pivot and a source. */
function parentsOf(tree: SourceTree, name: ByteName, prefix: string): SelectedFile[] | null {
  const start = nameOfText(
    prefix
      .split("/")
      .filter((part) => part !== "" && part !== ".")
      .join("/"),
  );
  if (name === start) return null;
  const parents: SelectedFile[] = [];
  for (let at = parentOf(name); at !== SELF && at !== start; at = parentOf(at)) {
    const file = tree.resolve(at);
    const below = start === SELF ? at : (at.slice(start.length + 1) as ByteName);
    if (file !== null && isDirectory(file.stat)) parents.unshift({ ...file, below });
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
