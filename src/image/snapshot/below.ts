/** What a snapshot's own layer lies on, to tell what in it is new. */
import { closeFd, openBeneath, statAt } from "../../sys/at.ts";
import type { ByteName } from "../../sys/byte-name.ts";
import { type Fd, O, open } from "../../sys/fd.ts";
import { isDirectory, type Stat } from "../../sys/stat.ts";
import { xattrsAt } from "../../sys/xattr.ts";
import { LowerLayers, type OverlayNamespace } from "../layer/lower-layers.ts";

/** The directory that a descriptor is of. */
export const SELF = "" as ByteName;

/** The layers below a snapshot's own. */
export class Below implements Disposable {
  readonly #roots: readonly Fd[];
  readonly #layers: LowerLayers;

  constructor(roots: readonly string[], namespace: OverlayNamespace) {
    const opened: Fd[] = [];
    try {
      for (const path of roots) opened.push(open(path, O.RDONLY | O.DIRECTORY));
    } catch (error) {
      for (const fd of opened) fd.close();
      throw error;
    }
    this.#roots = opened;
    this.#layers = new LowerLayers(opened, namespace);
  }

  /** The root directory is there always, and its times are nobody's: it is in the layer only if it was changed otherwise. */
  hasRootOtherThan(root: number): boolean {
    const [now, before] = [statAt(root, SELF), this.#layers.find(SELF)?.stat];
    return typeof now !== "number" && before !== undefined && !hasSameOwnership(now, before);
  }

  /** Whether there is a directory like this one at a path. */
  hasSame(directory: number, stat: Stat, path: ByteName): boolean {
    const before = this.#layers.find(path);
    if (before === null || !isDirectory(before.stat)) return false;
    if (!hasSameOwnership(stat, before.stat) || stat.mtime !== before.stat.mtime) return false;
    const fd = openBeneath(before.root, path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    if (fd < 0) return false;
    try {
      return hasSameXattrs(keptXattrs(directory, SELF), keptXattrs(fd, SELF));
    } finally {
      closeFd(fd);
    }
  }

  [Symbol.dispose](): void {
    for (const fd of this.#roots) fd.close();
  }
}

function hasSameOwnership(a: Stat, b: Stat): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}

/** The xattrs that a layer has: neither overlayfs's marks nor what the host decides. */
export function keptXattrs(directory: number, name: ByteName): Map<ByteName, ByteName> {
  const all = xattrsAt(directory, name);
  const isKept = (attribute: ByteName) =>
    !/^(trusted|user)\.overlay\./.test(attribute) && attribute !== "security.selinux";
  return new Map(typeof all === "number" ? [] : [...all].filter(([attribute]) => isKept(attribute)));
}

function hasSameXattrs(a: Map<ByteName, ByteName>, b: Map<ByteName, ByteName>): boolean {
  return a.size === b.size && [...a].every(([attribute, value]) => b.get(attribute) === value);
}
