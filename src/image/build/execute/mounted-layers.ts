/** Stacks of layers, mounted to be written to: the root filesystems of a build's steps. */
import { mkdirSync, readdirSync } from "node:fs";
import { type Fd, O, open } from "../../../sys/fd.ts";
import { exists } from "../../../sys/file.ts";
import { join } from "../../../sys/path-names.ts";
import type { Compression } from "../../layer/compression.ts";
import { DEFAULT_LIMITS } from "../../layer/limits.ts";
import { removeTree } from "../../layer/remove-tree.ts";
import { chainIds } from "../../snapshot/chain.ts";
import { diffSnapshot } from "../../snapshot/diff.ts";
import { publishUpper } from "../../snapshot/publish.ts";
import {
  createSnapshot,
  mountSnapshot,
  removeSnapshot,
  type Snapshot,
  snapshotDirectory,
  unmountSnapshot,
} from "../../snapshot/snapshot.ts";
import type { UnpackProgress } from "../../snapshot/unpack.ts";
import { ingestNew } from "../../store/ingest.ts";
import { layerKind, MEDIA_TYPE } from "../../store/media-types.ts";
import type { Layer } from "../../store/resolve.ts";
import type { Workspace } from "./workspace.ts";

/** How layers are written. */
export interface LayerOptions {
  compression: Exclude<Compression, "none">;
  /** Seconds since 1970; `null` leaves times as they are. */
  sourceDateEpoch: number | null;
}

/** Mounts a stack of layers in a new directory of a build. @param layers the lowest first */
export async function mountLayers(
  workspace: Workspace,
  layers: readonly Layer[],
  progress?: UnpackProgress,
): Promise<MountedLayers> {
  const { store } = workspace;
  const directory = workspace.directory();
  const rootfs = join(directory, "rootfs");
  mkdirSync(rootfs, { mode: 0o755 });
  const snapshot = await createSnapshot(store, layers, {
    limits: DEFAULT_LIMITS,
    owner: directory,
    ...(progress ? { progress } : {}),
  });
  try {
    mountSnapshot(store, snapshot, rootfs);
  } catch (error) {
    removeSnapshot(store, snapshot.id);
    throw error;
  }
  return new MountedLayers(workspace, layers, snapshot, directory, rootfs);
}

/** A stack of layers that is mounted. */
export class MountedLayers implements Disposable {
  /** The root directory. */
  readonly root: Fd;
  #isMounted = true;

  constructor(
    readonly workspace: Workspace,
    readonly layers: readonly Layer[],
    readonly snapshot: Snapshot,
    /** For what belongs to it, such as a bundle's files. */
    readonly directory: string,
    readonly path: string,
  ) {
    this.root = open(path, O.RDONLY | O.DIRECTORY);
  }

  /**
   * Makes a layer of what was changed; it is mounted no more then.
   * @returns `null` where nothing was changed
   */
  async commit({ compression, sourceDateEpoch }: LayerOptions): Promise<Layer | null> {
    this.#unmount();
    const { lease, store } = this.workspace;
    const epoch = sourceDateEpoch === null ? {} : { sourceDateEpoch };
    if (this.#isUntouched()) return null;
    const diff = diffSnapshot(store, this.snapshot, { compression, ...epoch });
    const mediaType = compression === "gzip" ? MEDIA_TYPE.layerGzip : MEDIA_TYPE.layerZstd;
    const blob = await ingestNew(lease, diff.chunks);
    if (diff.isEmpty()) return null;
    const kind = layerKind(mediaType);
    if (kind === null) throw new Error(`${mediaType} is no layer's type`);
    const layer: Layer = { descriptor: { mediaType, ...blob }, diffId: diff.diffId(), kind };
    const chain = chainIds([...this.layers, layer].map(({ diffId }) => diffId));
    // With other times than the archive has, it is unpacked when it is needed.
    if (sourceDateEpoch === null) await publishUpper(store, this.snapshot, chain.at(-1) as string);
    return layer;
  }

  #isUntouched(): boolean {
    return readdirSync(join(snapshotDirectory(this.workspace.store, this.snapshot.id), "upper")).length === 0;
  }

  #unmount(): void {
    if (!this.#isMounted) return;
    this.#isMounted = false;
    this.root.close();
    unmountSnapshot(this.path);
  }

  [Symbol.dispose](): void {
    this.#unmount();
    removeSnapshot(this.workspace.store, this.snapshot.id);
    if (exists(this.directory)) removeTree(this.directory);
  }
}
