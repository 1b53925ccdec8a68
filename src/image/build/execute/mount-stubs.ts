/** Mount points that the runtime makes in a root filesystem for what is mounted during a RUN: they are no part of the layer. */
import { statAt, unlinkAt, utimesAt } from "../../../sys/at.ts";
import { type ByteName, nameOfText } from "../../../sys/byte-name.ts";
import { AT, type Fd, O } from "../../../sys/fd.ts";
import { findInRoot } from "../../../sys/path.ts";
import { isDirectory, isType } from "../../../sys/stat.ts";

const SELF = "" as ByteName;

/** Removes those of `targets` that are not there yet, and their parents, once they are; what somebody put there stays. */
export class MountStubs {
  /** Absolute paths, parents first. */
  readonly #missing: string[] = [];
  readonly #times = new Map<string, { atime: bigint; mtime: bigint }>();

  constructor(
    readonly root: Fd,
    targets: readonly string[],
  ) {
    for (const target of targets) {
      const components = target.split("/").filter((part) => part !== "");
      for (let count = 1; count <= components.length; count++) {
        const path = `/${components.slice(0, count).join("/")}`;
        using found = findInRoot(root, path, O.PATH) ?? undefined;
        if (found !== undefined) continue;
        if (!this.#missing.includes(path)) this.#missing.push(path);
        this.#remember(path.slice(0, path.lastIndexOf("/")) || "/");
      }
    }
  }

  #remember(parent: string): void {
    using found = findInRoot(this.root, parent, O.PATH) ?? undefined;
    const stat = found === undefined ? -1 : statAt(found.number, SELF);
    if (typeof stat !== "number") this.#times.set(parent, { atime: stat.atime, mtime: stat.mtime });
  }

  remove(): void {
    for (const path of [...this.#missing].reverse()) this.#removeOne(path);
    for (const [path, { atime, mtime }] of this.#times) {
      using found = findInRoot(this.root, path, O.RDONLY | O.DIRECTORY) ?? undefined;
      if (found !== undefined) utimesAt(found.number, SELF, atime, mtime);
    }
  }

  #removeOne(path: string): void {
    using parent =
      findInRoot(this.root, path.slice(0, path.lastIndexOf("/")) || "/", O.RDONLY | O.DIRECTORY) ?? undefined;
    if (parent === undefined) return;
    const name = nameOfText(path.slice(path.lastIndexOf("/") + 1));
    const stat = statAt(parent.number, name);
    if (typeof stat === "number") return;
    if (isDirectory(stat)) unlinkAt(parent.number, name, AT.REMOVEDIR);
    else if (isType(stat, "regular") && stat.size === 0) unlinkAt(parent.number, name);
  }
}
