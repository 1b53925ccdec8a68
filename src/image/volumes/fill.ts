/** A new volume gets what the image has at its place, once. */
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { type Fd, O, open } from "../../sys/fd.ts";
import { findInRoot } from "../../sys/path.ts";
import { join } from "../../sys/path-names.ts";
import type { ExtractContext } from "../layer/extract-context.ts";
import { Notices } from "../layer/notices.ts";
import { removeTree } from "../layer/remove-tree.ts";
import { copyTree } from "../snapshot/copy-tree.ts";
import { overlayNamespace } from "../snapshot/directories.ts";
import { lock } from "../store/lock.ts";
import type { Store } from "../store/store.ts";
import { type NamedMount, readVolume, volumePath, writeVolume } from "./volume.ts";

/**
 * Fills a volume, if it is new. Whoever comes second waits, and finds it filled.
 * @param rootfs of the image @param ownOwners whether all files are the caller's
 */
export async function fillVolume(
  store: Store,
  { name, destination, fill }: NamedMount,
  rootfs: Fd,
  ownOwners: boolean,
): Promise<void> {
  const directory = volumePath(store, name);
  using _ = await lock(join(directory, "lock"), "exclusive");
  const volume = readVolume(store, name);
  if (volume === null || volume.filled) return;
  const data = join(directory, "data");
  const next = join(directory, "data.new");
  removeTree(next);
  using from = fill ? (findInRoot(rootfs, destination, O.RDONLY | O.DIRECTORY) ?? undefined) : undefined;
  // In one step: a kill leaves the volume new, or filled. What somebody has put into it stays.
  if (from !== undefined && existsSync(data) && readdirSync(data).length === 0) {
    mkdirSync(next, { mode: 0o700 });
    using to = open(next, O.RDONLY | O.DIRECTORY);
    const owners = ownOwners || process.geteuid?.() !== 0 ? "own" : "archive";
    const context: ExtractContext = { owners, overlay: overlayNamespace(), notices: new Notices() };
    copyTree(from, to, context);
    // Replaces an empty directory.
    renameSync(next, data);
  } else if (from === undefined && readdirSync(data).length === 0) chmodSync(data, 0o755);
  writeVolume(store, { ...volume, filled: true });
}
