/** Makes a layer of the store of what a snapshot has in its upper directory, which is in overlayfs's form already: nothing is unpacked again. */

import { mkdirSync } from "node:fs";
import { check, hasErrno } from "../../sys/error.ts";
import { O, open } from "../../sys/fd.ts";
import { syscall } from "../../sys/ffi.ts";
import { exists, rename } from "../../sys/file.ts";
import { lockOwn } from "../../sys/flock.ts";
import { join } from "../../sys/path-names.ts";
import { randomHex } from "../../sys/random.ts";
import { removeTree } from "../layer/remove-tree.ts";
import { lockStore, type Store } from "../store/store.ts";
import { layerDirectory, snapshotsPath } from "./directories.ts";
import { type Snapshot, snapshotDirectory } from "./snapshot.ts";

/**
 * Moves a snapshot's upper directory to its place as an unpacked layer, unless that is there. The snapshot is mounted nowhere, and is of no
 * more use afterwards.
 * @param chainId of the layer with those below it
 */
export async function publishUpper(store: Store, snapshot: Snapshot, chainId: string): Promise<void> {
  const to = layerDirectory(store, chainId, snapshot.namespace);
  if (exists(join(to, "fs"))) return;
  const work = join(snapshotsPath(store, "tmp"), randomHex(9));
  const claim = async () => {
    // Nobody collects between the making and the locking.
    using _ = await lockStore(store, "shared");
    mkdirSync(work, { mode: 0o700 });
    const fd = open(work, O.RDONLY | O.DIRECTORY);
    lockOwn(fd, "exclusive", work);
    return fd;
  };
  using lock = await claim();
  try {
    rename(join(snapshotDirectory(store, snapshot.id), "upper"), join(work, "fs"));
    // Contents first, then the name: after a crash of the machine a layer is whole or not there.
    check(syscall("syncfs", lock.number), "write the layer to disk");
    rename(work, to);
  } catch (error) {
    if (!hasErrno(error, "ENOTEMPTY", "EEXIST")) throw error;
  } finally {
    if (exists(work)) removeTree(work);
  }
}
