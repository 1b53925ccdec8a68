/** Carries out the read-only and masked paths, after the change of root, without the help of any `/proc`. */

import type { ProtectStep } from "../plan/protected-paths.ts";
import type { Handlers } from "../plan/step.ts";
import { type Fd, O } from "../sys/fd.ts";
import { fsconfigCreate, fsconfigSet, fsmount, fsopen } from "../sys/filesystem-context.ts";
import { mountSetAttributes, moveMount, openTree } from "../sys/mount.ts";
import { findInRoot, openInRoot } from "../sys/path.ts";
import { fstat, isDirectory } from "../sys/stat.ts";
import type { InitContext } from "./context.ts";
import { isNull, rootOf } from "./root.ts";

export const protectHandlers: Handlers<ProtectStep, InitContext> = {
  "readonly-paths": ({ paths }, context) => {
    for (const path of paths) makeReadonly(rootOf(context), path);
  },
  "mask-paths": ({ paths, label }, context) => maskPaths(rootOf(context), paths, label),
};

function makeReadonly(rootfs: Fd, path: string): void {
  using target = findInRoot(rootfs, path, O.PATH);
  if (target === null) return;
  using tree = openTree(target, { clone: true, recursive: true });
  mountSetAttributes(tree, { set: ["ro"] });
  moveMount(tree, target);
}

function maskPaths(rootfs: Fd, paths: readonly string[], label: string): void {
  using nothing = openInRoot(rootfs, "/dev/null", O.PATH | O.NOFOLLOW);
  // A bind of anything else would show it under every masked path (CVE-2025-31133).
  if (!isNull(nothing.number)) throw new Error("can't mask paths: the container's /dev/null is not the null device");
  let empty: Fd | null = null;
  try {
    for (const path of paths) {
      using target = findInRoot(rootfs, path, O.PATH);
      if (target === null) continue;
      if (!isDirectory(fstat(target.number))) {
        using mask = openTree(nothing, { clone: true, recursive: false });
        moveMount(mask, target);
      } else if (empty === null) {
        empty = emptyDirectory(label);
        moveMount(empty, target);
      } else {
        using mask = openTree(empty, { clone: true, recursive: false });
        moveMount(mask, target);
      }
    }
  } finally {
    empty?.close();
  }
}

/** An empty tmpfs, read-only, mounted nowhere; one serves for all directories. */
function emptyDirectory(label: string): Fd {
  // Some kernels want an inode besides the root's.
  for (const inodes of ["1", "2"]) {
    using context = fsopen("tmpfs");
    if (context === null) break;
    const options: [string, string][] = [
      ["nr_blocks", "1"],
      ["nr_inodes", inodes],
    ];
    if (label !== "") options.push(["context", label]);
    if (!options.every(([key, value]) => fsconfigSet(context, key, value)) || !fsconfigCreate(context)) continue;
    const mounted = fsmount(context, ["ro"]);
    if (mounted !== null) return mounted;
  }
  throw new Error("can't mask paths: no empty tmpfs could be made");
}
