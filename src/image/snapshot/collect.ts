/** Collects what is left below `snapshots/`: layers of no image and no snapshot, snapshots without an owner, and what a kill left. */

import { readdirSync } from "node:fs";
import { O, open } from "../../sys/fd.ts";
import { exists } from "../../sys/file.ts";
import { flockNow } from "../../sys/flock.ts";
import { join } from "../../sys/path-names.ts";
import { removeTree } from "../layer/remove-tree.ts";
import { bytesBelow, type Collector, type Garbage } from "../store/collect.ts";
import type { Store } from "../store/store.ts";
import { chainIds } from "./chain.ts";
import { snapshotsPath } from "./directories.ts";
import { findSnapshot, unmountSnapshot } from "./snapshot.ts";

/** @see Collector: the store's lock is held */
export const collectSnapshots: Collector = (store, live, { dryRun }) => {
  const garbage: Garbage[] = [];
  const remove = (name: string) => {
    const path = join(store.paths.snapshots, name);
    garbage.push({ kind: "snapshot", name: `snapshots/${name}`, size: bytesBelow(path) });
    if (!dryRun) removeTree(path);
  };
  for (const name of namesIn(store, "bundles")) {
    const path = join(store.paths.snapshots, "bundles", name);
    if (isLocked(path)) continue;
    // Its own snapshot has no owner then, and is the next.
    if (!dryRun) unmountSnapshot(join(path, "rootfs"));
    remove(`bundles/${name}`);
  }
  const kept = new Set(live.stacks.flatMap((stack) => chainIds(stack)));
  for (const id of namesIn(store, "active")) {
    const snapshot = findSnapshot(store, id);
    if (snapshot === "damaged") continue;
    if (snapshot !== null && exists(snapshot.owner)) for (const chainId of snapshot.chain) kept.add(chainId);
    else remove(`active/${id}`);
  }
  for (const place of ["layers", "user-layers"] as const) {
    for (const chainId of namesIn(store, place)) if (!kept.has(chainId)) remove(`${place}/${chainId}`);
  }
  for (const name of namesIn(store, "tmp"))
    if (!isLocked(join(store.paths.snapshots, "tmp", name))) remove(`tmp/${name}`);
  return garbage;
};

function namesIn(store: Store, place: Parameters<typeof snapshotsPath>[1]): string[] {
  return readdirSync(snapshotsPath(store, place));
}

function isLocked(path: string): boolean {
  using directory = open(path, O.RDONLY | O.DIRECTORY);
  return flockNow(directory, "shared") !== 0;
}
