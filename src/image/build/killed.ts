/**
 * Builds that were killed. A build's directory, below `snapshots/bundles/`, says who builds, and which commands of RUN it has started: what a
 * killed one has left at work is ended, by the next build or by a collection, and its directory removed.
 */

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { hasErrno } from "../../sys/error.ts";
import { O, open } from "../../sys/fd.ts";
import { exists } from "../../sys/file.ts";
import { flockNow } from "../../sys/flock.ts";
import { join } from "../../sys/path-names.ts";
import { runtimePath } from "../bundle/runtime-path.ts";
import { endPasta } from "../containers/pasta.ts";
import { removeTree } from "../layer/remove-tree.ts";
import { snapshotsPath } from "../snapshot/directories.ts";
import { removeSnapshot, snapshotsOf } from "../snapshot/snapshot.ts";
import type { Collector } from "../store/collect.ts";
import type { Store } from "../store/store.ts";
import { killedBuilder, PASTA, RUNS } from "./builder.ts";

/** Ends what a build that was killed has left at work; nothing is done for one that lives, or for what is no build. */
export function endKilledBuild(directory: string): void {
  const builder = killedBuilder(directory);
  if (builder === null) return;
  for (const id of linesOf(join(directory, RUNS)))
    spawnSync(runtimePath(), [...builder.runtimeArgs, "delete", "--force", id], { stdio: "ignore" });
  for (const name of readdirSync(directory)) endPasta(join(directory, name, PASTA));
  // The runtimes that were at it hold its lock, and end now.
  for (let tries = 0; tries < 100 && !isFree(directory); tries++) spawnSync("sleep", ["0.02"]);
}

/** @see Collector: what it ends is collected by the next */
export const endKilledBuilds: Collector = (store, _, { dryRun }) => {
  const bundles = snapshotsPath(store, "bundles");
  if (!dryRun) for (const name of readdirSync(bundles)) endKilledBuild(join(bundles, name));
  return [];
};

/** Clears all that killed builds have left in a store. @param directories theirs, see `killedBuilds` */
export function clearKilledBuilds(store: Store, directories: readonly string[]): void {
  for (const directory of directories) {
    endKilledBuild(directory);
    if (!isFree(directory)) continue;
    for (const id of snapshotsOf(store, (owner) => owner.startsWith(`${directory}/`))) removeSnapshot(store, id);
    if (exists(directory)) removeTree(directory);
  }
}

function linesOf(path: string): string[] {
  return exists(path)
    ? readFileSync(path, "utf8")
        .split("\n")
        .filter((line) => line !== "")
    : [];
}

function isFree(path: string): boolean {
  try {
    using directory = open(path, O.RDONLY | O.DIRECTORY);
    return flockNow(directory, "exclusive") === 0;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return true;
    throw error;
  }
}
