/**
 * What a layer removes of those below it, in the two kinds of trees (`extract.ts`).
 *
 * A whiteout applies to lower layers only, wherever in its own layer it comes (image-spec layer.md, "Whiteouts"). It never makes a
 * directory that no layer has, and never follows a symlink: what is not there need not be removed.
 */
import { listDirectory, mknodAt, statAt } from "../../sys/at.ts";
import { type ByteName, baseOf, joinNames, parentOf, printable } from "../../sys/byte-name.ts";
import { check } from "../../sys/error.ts";
import { FILE_TYPE, isDirectory } from "../../sys/stat.ts";
import { setXattrAt } from "../../sys/xattr.ts";
import type { ExtractContext } from "./extract-context.ts";
import type { LayerTree } from "./layer-tree.ts";
import { opaqueXattr } from "./lower-layers.ts";
import { removeTreeAt } from "./remove-tree.ts";

export interface Whiteouts {
  /** Removes what lower layers have at a path. */
  remove(path: ByteName): void;
  /** Removes what lower layers have in a directory. */
  clear(path: ByteName): void;
  /** Whether lower layers' file at a path is removed by what was read so far. */
  isHidden(path: ByteName): boolean;
  /** Does what is left to do when the layer has been read. */
  finish(): void;
}

/** Of a whole tree: what other layers brought is removed, what this layer has brought stays. */
export function removingWhiteouts(tree: LayerTree): Whiteouts {
  const { written } = tree;
  /** Removes below a directory. What this layer has may have things of others in it. */
  const remove = (path: ByteName) => {
    const parent = tree.existing(parentOf(path));
    if (parent === null) return;
    if (written?.has(path)) return clear(path);
    removeTreeAt(parent, baseOf(path));
    tree.forget(path);
  };
  const clear = (path: ByteName) => {
    const pending = [path];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const fd = tree.existing(next);
      const entries = fd === null ? [] : listDirectory(fd);
      if (typeof entries === "number") check(entries, () => `read ${printable(path)}`);
      for (const { name } of entries as { name: ByteName }[]) {
        const child = joinNames(next, name);
        if (written?.has(child)) pending.push(child);
        else remove(child);
      }
    }
  };
  // With no other layers in the tree there is nothing to remove.
  const ifOthers = (act: (path: ByteName) => void) => (path: ByteName) => {
    if (written !== null) act(path);
  };
  return {
    remove: ifOthers(wasThere(tree, remove)),
    clear: ifOthers(clear),
    isHidden: () => false,
    finish() {},
  };
}

/** Leaves the directory alone when there is nothing to remove in it. */
function wasThere(tree: LayerTree, remove: (path: ByteName) => void): (path: ByteName) => void {
  return (path) => {
    const parent = tree.existing(parentOf(path));
    if (parent !== null && typeof statAt(parent, baseOf(path)) !== "number") remove(path);
  };
}

/**
 * Of a layer's own tree: marks for overlayfs, set when all has been read. A whiteout is a device that overlayfs hides, and is not seen as
 * one where there is nothing below it to hide: so it is made only where lower layers have something.
 */
export function overlayWhiteouts(tree: LayerTree, context: ExtractContext): Whiteouts {
  const removed = new Set<ByteName>();
  const cleared = new Set<ByteName>();

  const isBelowHidden = (path: ByteName) => {
    if (removed.size === 0 && cleared.size === 0) return false;
    for (let at = path; at !== ""; ) {
      at = parentOf(at);
      if (cleared.has(at) || (at !== "" && removed.has(at))) return true;
    }
    return false;
  };
  const isHidden = (path: ByteName) => removed.has(path) || isBelowHidden(path);

  const markOpaque = (path: ByteName, fd: number) => {
    const result = setXattrAt(fd, "" as ByteName, opaqueXattr(context.overlay), "y" as ByteName);
    check(result, () => `mark ${printable(path)} as opaque`);
  };
  const hasBelow = (path: ByteName) => !isBelowHidden(path) && tree.lower.find(path) !== null;

  const finishCleared = (path: ByteName) => {
    const own = tree.existing(path);
    if (own !== null) {
      if (hasBelow(path)) markOpaque(path, own);
      return;
    }
    const below = isHidden(path) ? null : tree.lower.find(path);
    if (below === null || !isDirectory(below.stat) || !isFree(path)) return;
    markOpaque(path, tree.directory(path).fd);
  };

  const finishRemoved = (path: ByteName) => {
    if (!hasBelow(path)) return;
    const own = tree.existing(path);
    if (own !== null) return markOpaque(path, own);
    if (!isFree(path)) return;
    const { fd } = tree.directory(parentOf(path));
    check(mknodAt(fd, baseOf(path), FILE_TYPE.characterDevice, 0), () => `make the whiteout of ${printable(path)}`);
  };

  /** Whether this layer has nothing at a path, and nothing but directories on the way to it. */
  const isFree = (path: ByteName): boolean => {
    let at = path;
    for (;;) {
      const parent = parentOf(at);
      const fd = tree.existing(parent);
      if (fd !== null) return typeof statAt(fd, baseOf(at)) === "number";
      if (parent === "") return false;
      at = parent;
    }
  };

  return {
    remove: (path) => void removed.add(path),
    clear: (path) => void cleared.add(path),
    isHidden,
    finish() {
      // A whiteout may come after the link for whose sake a file was copied from below.
      for (const path of tree.copiedUp) {
        const parent = isHidden(path) ? tree.existing(parentOf(path)) : null;
        if (parent !== null) removeTreeAt(parent, baseOf(path));
      }
      for (const path of cleared) finishCleared(path);
      for (const path of removed) finishRemoved(path);
    },
  };
}
