/**
 * The directory that a build works in: below `snapshots/bundles/` of the store, locked by this process and the runtimes that it starts, so
 * that a collection clears what a kill has left. Root filesystems are mounted there, in a mount namespace that is the build's own.
 *
 * What mounts and unpacks is loaded when there is something to mount: a build whose steps all come from the cache has nothing.
 */

import { mkdirSync } from "node:fs";
import { type Fd, O, open } from "../../../sys/fd.ts";
import { exists } from "../../../sys/file.ts";
import { lockOwn } from "../../../sys/flock.ts";
import { join } from "../../../sys/path-names.ts";
import { randomHex } from "../../../sys/random.ts";
import { removeTree } from "../../layer/remove-tree.ts";
import { snapshotsPath } from "../../snapshot/directories.ts";
import type { UnpackProgress } from "../../snapshot/unpack.ts";
import type { Lease } from "../../store/lease.ts";
import type { Layer } from "../../store/resolve.ts";
import { lockStore, type Store } from "../../store/store.ts";
import { killedBuilds, noteBuilder } from "../builder.ts";
import type { MountedLayers } from "./mounted-layers.ts";

export class Workspace implements Disposable {
  private constructor(
    readonly lease: Lease,
    readonly path: string,
    /** Handed on to runtimes. */
    readonly lock: Fd,
  ) {}

  /** @param runtimeArgs global options of the runtimes that the build starts */
  static async open(lease: Lease, runtimeArgs: readonly string[]): Promise<Workspace> {
    const { store } = lease;
    const killed = killedBuilds(store);
    if (killed.length > 0) (await import("../killed.ts")).clearKilledBuilds(store, killed);
    using _ = await lockStore(store, "shared");
    const path = join(snapshotsPath(store, "bundles"), randomHex(9));
    mkdirSync(path, { mode: 0o700 });
    const lock = open(path, O.RDONLY | O.DIRECTORY);
    lockOwn(lock, "exclusive", path);
    noteBuilder(path, runtimeArgs);
    return new Workspace(lease, path, lock);
  }

  get store(): Store {
    return this.lease.store;
  }

  /** A new directory of the build. */
  directory(): string {
    const path = join(this.path, randomHex(6));
    mkdirSync(path, { mode: 0o700 });
    return path;
  }

  /** Mounts a stack of layers, to be written to. @param layers the lowest first */
  async mount(layers: readonly Layer[], progress?: UnpackProgress): Promise<MountedLayers> {
    const { mountLayers } = await import("./mounted-layers.ts");
    return mountLayers(this, layers, progress);
  }

  [Symbol.dispose](): void {
    if (exists(this.path)) removeTree(this.path);
    this.lock.close();
  }
}
