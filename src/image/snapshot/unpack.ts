/**
 * Unpacks the layers of an image into the store, each once: what several images, and all bundles, share.
 *
 * A layer is extracted to a directory in `tmp/`, which its process holds a lock on, and gets its name when it is complete and on disk.
 * After a kill the directory lies there, unlocked, until a collection removes it.
 */

import { mkdirSync } from "node:fs";
import { check, hasErrno } from "../../sys/error.ts";
import { type Fd, O, open } from "../../sys/fd.ts";
import { syscall } from "../../sys/ffi.ts";
import { exists, rename } from "../../sys/file.ts";
import { lockOwn } from "../../sys/flock.ts";
import { join } from "../../sys/path-names.ts";
import { randomHex } from "../../sys/random.ts";
import type { Extracted, ExtractOptions, ExtractTarget } from "../layer/extract.ts";
import type { LayerBlob, LayerExtractor } from "../layer/layer-extractor.ts";
import type { LayerLimits } from "../layer/limits.ts";
import type { OverlayNamespace } from "../layer/lower-layers.ts";
import { removeTree } from "../layer/remove-tree.ts";
import { blobPath } from "../store/blobs.ts";
import { whyUnusable } from "../store/damaged.ts";
import type { Layer } from "../store/resolve.ts";
import { lockStore, type Store } from "../store/store.ts";
import { chainIds } from "./chain.ts";
import { layerDirectory, snapshotsPath } from "./directories.ts";

/** Told of the work on each layer. */
export interface UnpackProgress {
  /** A layer begins. @param size bytes of its blob */
  begin?(digest: string, size: number): void;
  /** @param bytes of the blob that were read */
  read?(digest: string, bytes: number): void;
  end?(digest: string): void;
  /** Something that the user should know, one line. */
  notice?(text: string): void;
}

export interface UnpackOptions {
  limits: LayerLimits;
  namespace: OverlayNamespace;
  progress?: UnpackProgress;
}

/** A layer that is unpacked in the store. */
export interface UnpackedLayer {
  chainId: string;
  /** Root directory of its tree. */
  path: string;
}

/** What the extractor needs of a layer. */
function layerBlob(store: Store, { descriptor, diffId }: Layer): LayerBlob {
  const { mediaType, digest } = descriptor;
  return { path: blobPath(store, digest), mediaType, digest, diffId };
}

/**
 * Extracts a layer of the store.
 * @throws {DamagedBlobError} {@link MissingBlobError} where it is not the layer that is wrong, but the store's copy of it
 */
export async function extractStored(
  extractor: LayerExtractor,
  store: Store,
  layer: Layer,
  target: ExtractTarget,
  options: ExtractOptions,
  onRead?: (bytes: number) => void,
): Promise<Extracted> {
  try {
    return await extractor.extract(layerBlob(store, layer), target, options, onRead);
  } catch (error) {
    throw (await whyUnusable(store, layer.descriptor)) ?? error;
  }
}

/**
 * Unpacks those of a stack of layers that are not yet. A lease must hold on to their blobs, and something must keep the chain from being
 * collected (`createSnapshot` does).
 * @param layers the lowest first
 * @returns all of them, the lowest first
 * @throws {LayerError} for what is wrong with a layer
 */
export async function unpackLayers(
  store: Store,
  layers: readonly Layer[],
  options: UnpackOptions,
): Promise<UnpackedLayer[]> {
  const { limits, namespace, progress = {} } = options;
  const chain = chainIds(layers.map(({ diffId }) => diffId));
  const unpacked: UnpackedLayer[] = [];
  const fresh: { work: Working; to: string }[] = [];
  const lower: Fd[] = [];
  // With nothing to extract, which is what most bundles find, its threads and streams are not loaded.
  const isMissing = chain.some((chainId) => !exists(join(layerDirectory(store, chainId, namespace), "fs")));
  const { LayerExtractor } = isMissing ? await import("../layer/layer-extractor.ts") : { LayerExtractor: null };
  try {
    // Ended before what it writes to is closed.
    await using extractor = LayerExtractor === null ? null : new LayerExtractor();
    // One is written while the next is read and decompressed. Two are not written at a time: what a layer's entries become depends on those
    // below it (owners of directories that it does not name, hard links, symlinks in the place of directories).
    let writing: Promise<unknown> = Promise.resolve();
    for (const [index, layer] of layers.entries()) {
      const chainId = chain[index] as string;
      const to = layerDirectory(store, chainId, namespace);
      const path = join(to, "fs");
      unpacked.push({ chainId, path });
      if (extractor === null || exists(path)) {
        lower.unshift(openTree(path));
        continue;
      }
      const work = await Working.make(store);
      fresh.push({ work, to });
      const { digest, size } = layer.descriptor;
      const target = { kind: "own", root: work.root, lower: [...lower] } as const;
      progress.begin?.(digest, size);
      const extractOptions = { limits, owners: "archive", overlay: namespace } as const;
      const next = extractStored(extractor, store, layer, target, extractOptions, (bytes) =>
        progress.read?.(digest, bytes),
      ).then(({ notices }) => {
        for (const notice of notices) progress.notice?.(notice);
        progress.end?.(digest);
      });
      // It is waited for, or the one before it has failed.
      next.catch(() => {});
      lower.unshift(work.root);
      await writing;
      writing = next;
    }
    await writing;
    // Contents first, then names: after a crash of the machine a layer is whole or not there.
    const first = fresh[0];
    if (first !== undefined) check(syscall("syncfs", first.work.root.number), "write the layers to disk");
    for (const { work, to } of fresh) work.publish(to);
  } finally {
    for (const fd of lower) fd.close();
    for (const { work } of fresh) work[Symbol.dispose]();
  }
  return unpacked;
}

function openTree(path: string): Fd {
  return open(path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
}

/** A directory in `tmp/`. Removed in the end, if it was not published. */
class Working implements Disposable {
  readonly root: Fd;

  private constructor(
    readonly path: string,
    private readonly lock: Fd,
  ) {
    mkdirSync(join(path, "fs"), { mode: 0o755 });
    this.root = openTree(join(path, "fs"));
  }

  static async make(store: Store): Promise<Working> {
    const path = join(snapshotsPath(store, "tmp"), randomHex(9));
    // Nobody collects between the making and the locking.
    using _ = await lockStore(store, "shared");
    mkdirSync(path, { mode: 0o700 });
    const lock = openTree(path);
    lockOwn(lock, "exclusive", path);
    return new Working(path, lock);
  }

  /** Gives it its name. Another process may have been quicker: it has the same then. */
  publish(to: string): void {
    try {
      rename(this.path, to);
    } catch (error) {
      if (!hasErrno(error, "ENOTEMPTY", "EEXIST")) throw error;
    }
  }

  [Symbol.dispose](): void {
    this.root.close();
    if (exists(this.path)) removeTree(this.path);
    this.lock.close();
  }
}
