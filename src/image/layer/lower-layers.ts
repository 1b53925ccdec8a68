/**
 * Layers that are unpacked already, one directory each in overlayfs's form, seen as the one tree that they make.
 * @see linux/Documentation/filesystems/overlayfs.rst, "whiteouts and opaque directories"
 */

import { closeFd, openBeneath, statAt } from "../../sys/at.ts";
import type { ByteName } from "../../sys/byte-name.ts";
import { type Fd, O } from "../../sys/fd.ts";
import { isDirectory, isType, type Stat } from "../../sys/stat.ts";
import { xattrAt } from "../../sys/xattr.ts";

/** What a path leads to, and the root directory of the layer that has it. */
export interface Found {
  root: number;
  stat: Stat;
}

/** Which namespace of xattrs the overlay mount reads: `user` for one that is made in a user namespace. @see overlayfs.rst, userxattr */
export type OverlayNamespace = "trusted" | "user";

export function opaqueXattr(namespace: OverlayNamespace): ByteName {
  return `${namespace}.overlay.opaque` as ByteName;
}

export class LowerLayers {
  /** The uppermost first, without those that an opaque root directory hides. */
  readonly roots: readonly Fd[];

  /** @param roots the uppermost first */
  constructor(
    roots: readonly Fd[],
    private readonly namespace: OverlayNamespace,
  ) {
    this.roots = withoutHidden(roots, ({ number }) => isOpaque(number, namespace));
  }

  /** What is at a path; no symlink is followed. @returns `null` when there is nothing, or it was removed */
  find(path: ByteName): Found | null {
    let candidates = this.roots.map(({ number }) => number);
    const components = path === "" ? [] : path.split("/");
    let found: Found | null = null;
    for (let count = path === "" ? 0 : 1; count <= components.length; count++) {
      const prefix = components.slice(0, count).join("/") as ByteName;
      const level = this.#level(candidates, prefix);
      found = level.found;
      if (found === null) return null;
      if (!isDirectory(found.stat) && count < components.length) return null;
      candidates = level.directories;
    }
    return found;
  }

  /** Roots of the layers whose directories make up the one at a path, the uppermost first. */
  directoriesOf(path: ByteName): number[] {
    let candidates = this.roots.map(({ number }) => number);
    const components = path === "" ? [] : path.split("/");
    for (let count = 1; count <= components.length; count++) {
      candidates = this.#level(candidates, components.slice(0, count).join("/") as ByteName).directories;
    }
    return candidates;
  }

  /** What a path, whose parents are the candidates' directories, leads to. */
  #level(candidates: readonly number[], path: ByteName): { found: Found | null; directories: number[] } {
    let found: Found | null = null;
    const directories: number[] = [];
    for (const root of candidates) {
      const fd = openBeneath(root, path, O.PATH | O.NOFOLLOW);
      if (fd < 0) continue;
      try {
        const stat = statAt(fd, "" as ByteName);
        if (typeof stat === "number" || isWhiteout(stat)) break;
        if (!isDirectory(stat)) {
          found ??= { root, stat };
          break;
        }
        found ??= { root, stat };
        directories.push(root);
        if (isOpaque(fd, this.namespace)) break;
      } finally {
        closeFd(fd);
      }
    }
    return { found, directories };
  }
}

/**
 * The layers of a stack down to the first whose root directory is opaque: what is below is not seen. overlayfs itself asks that of other directories
 * alone, so such layers must not be mounted.
 * @param stack the uppermost first
 */
export function withoutHidden<T>(stack: readonly T[], hasOpaqueRoot: (layer: T) => boolean): readonly T[] {
  const last = stack.findIndex(hasOpaqueRoot);
  return last === -1 ? stack : stack.slice(0, last + 1);
}

/** Whether it is what hides a name of lower layers. */
export function isWhiteout(stat: Stat): boolean {
  return isType(stat, "characterDevice") && stat.rdev === 0;
}

/** Whether a directory hides all that lower layers have in it. */
export function isOpaque(directory: number, namespace: OverlayNamespace): boolean {
  return xattrAt(directory, "" as ByteName, opaqueXattr(namespace)) === "y";
}
