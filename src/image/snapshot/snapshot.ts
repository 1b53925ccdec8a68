/**
 * Snapshots: a stack of layers as a tree that someone may write to.
 *
 *     const snapshot = await createSnapshot(store, layers, { kind: "overlay", owner: "/path/of/bundle", … });
 *     mountSnapshot(store, snapshot, "/path/of/bundle/rootfs");
 *     … run something …
 *     for await (const bytes of diffSnapshot(store, snapshot)) …       // `diff.ts`: what was changed, as a layer
 *     unmountSnapshot("/path/of/bundle/rootfs");
 *     removeSnapshot(store, snapshot.id);
 *
 * A snapshot keeps its layers from being collected, and is collected itself once its owner is gone: a directory that is no longer there, or
 * whose process has ended.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { hasErrno } from "../../sys/error.ts";
import { O, open } from "../../sys/fd.ts";
import { exists } from "../../sys/file.ts";
import { unmountDetach } from "../../sys/mount.ts";
import { join } from "../../sys/path-names.ts";
import { randomHex } from "../../sys/random.ts";
import type { OverlayNamespace } from "../layer/lower-layers.ts";
import { Notices } from "../layer/notices.ts";
import { removeTree } from "../layer/remove-tree.ts";
import type { Layer } from "../store/resolve.ts";
import { lockStore, type Store } from "../store/store.ts";
import { chainIds } from "./chain.ts";
import { copyDirectoryAttributes } from "./copy-tree.ts";
import { layerDirectory, overlayNamespace, snapshotsPath } from "./directories.ts";
import { mountOverlay } from "./overlay-mount.ts";
import { type UnpackOptions, unpackLayers } from "./unpack.ts";

/** A snapshot, as its `snapshot.json` says. */
export interface Snapshot {
  id: string;
  /** Chain ids of its layers, the lowest first. */
  chain: string[];
  namespace: OverlayNamespace;
  /** Absolute path of a directory: the snapshot is garbage when that is gone. */
  owner: string;
}

export type SnapshotOptions = Omit<UnpackOptions, "namespace"> & { owner: string; id?: string };

/** What lies below where there are no layers: overlayfs needs something. */
const EMPTY = "empty";

/** A name for a new snapshot. */
export function newSnapshotId(): string {
  return randomHex(9);
}

/**
 * Makes a snapshot, unpacking what layers are not yet.
 * @param layers the lowest first; a lease must hold on to their blobs
 * @throws {LayerError}
 */
export async function createSnapshot(
  store: Store,
  layers: readonly Layer[],
  options: SnapshotOptions,
): Promise<Snapshot> {
  const namespace = overlayNamespace();
  const { owner, id = newSnapshotId() } = options;
  const snapshot: Snapshot = { id, chain: chainIds(layers.map(({ diffId }) => diffId)), namespace, owner };
  {
    // Nobody collects meanwhile: what is written down here is found by the next collection.
    using _ = await lockStore(store, "shared");
    const directory = snapshotDirectory(store, id);
    mkdirSync(directory, { mode: 0o700 });
    writeFileSync(join(directory, "snapshot.json.new"), `${JSON.stringify(snapshot)}\n`);
    renameSync(join(directory, "snapshot.json.new"), join(directory, "snapshot.json"));
  }
  try {
    const unpacked = await unpackLayers(store, layers, { ...options, namespace });
    for (const name of ["upper", "work"]) mkdirSync(join(snapshotDirectory(store, id), name), { mode: 0o755 });
    const uppermost = unpacked.at(-1);
    if (uppermost === undefined) {
      // An image that is made from nothing begins with an empty root directory.
      mkdirSync(join(snapshotDirectory(store, id), EMPTY), { mode: 0o755 });
      return snapshot;
    }
    // A mount's root directory is that of the upper one.
    using from = open(uppermost.path, O.RDONLY | O.DIRECTORY);
    using to = open(join(snapshotDirectory(store, id), "upper"), O.RDONLY | O.DIRECTORY);
    copyDirectoryAttributes(from.number, to.number, { owners: "archive", overlay: namespace, notices: new Notices() });
    return snapshot;
  } catch (error) {
    removeSnapshot(store, id);
    throw error;
  }
}

/** The directory of a snapshot. */
export function snapshotDirectory(store: Store, id: string): string {
  return join(snapshotsPath(store, "active"), id);
}

/** Directories of a snapshot's layers, the lowest first. */
export function layersOfSnapshot(store: Store, { id, chain, namespace }: Snapshot): string[] {
  if (chain.length === 0) return [join(snapshotDirectory(store, id), EMPTY)];
  return chain.map((chainId) => join(layerDirectory(store, chainId, namespace), "fs"));
}

/** All that a mount of a snapshot is made of. */
export function directoriesOf(store: Store, snapshot: Snapshot): string[] {
  const own = ["upper", "work"].map((name) => join(snapshotDirectory(store, snapshot.id), name));
  return [...layersOfSnapshot(store, snapshot), ...own];
}

/** Mounts a snapshot on a directory. @param isVolatile see `OverlayMount` @throws {Error} with what the kernel says */
export function mountSnapshot(store: Store, snapshot: Snapshot, target: string, isVolatile = false): void {
  const directory = snapshotDirectory(store, snapshot.id);
  mountOverlay(
    {
      lower: layersOfSnapshot(store, snapshot).reverse(),
      upper: { upper: join(directory, "upper"), work: join(directory, "work") },
      namespace: snapshot.namespace,
      isVolatile,
    },
    target,
  );
}

/** Unmounts what is mounted on a directory; nothing is fine, too. */
export function unmountSnapshot(target: string): void {
  try {
    unmountDetach(target);
  } catch (error) {
    if (!hasErrno(error, "EINVAL", "ENOENT")) throw error;
  }
}

/**
 * Reads a snapshot. @returns `null` for one that is not there, or that was never written down whole
 * @throws {DamagedSnapshotError}
 */
export function readSnapshot(store: Store, id: string): Snapshot | null {
  const path = join(snapshotDirectory(store, id), "snapshot.json");
  try {
    const snapshot = JSON.parse(readFileSync(path, "utf8")) as Snapshot | null;
    if (typeof snapshot?.owner !== "string" || !Array.isArray(snapshot.chain)) throw new SyntaxError("no snapshot");
    return snapshot;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return null;
    if (error instanceof SyntaxError) throw new DamagedSnapshotError(`${path}: is damaged: ${error.message}`);
    throw error;
  }
}

/** What is written down of a snapshot is not what was written. */
export class DamagedSnapshotError extends Error {}

/** {@link readSnapshot}, for those who look at all: one that is damaged does not say whose it is, and is left to whoever has it. */
export function findSnapshot(store: Store, id: string): Snapshot | "damaged" | null {
  try {
    return readSnapshot(store, id);
  } catch (error) {
    if (error instanceof DamagedSnapshotError) return "damaged";
    throw error;
  }
}

/** The ids of the snapshots of those owners that are meant. */
export function snapshotsOf(store: Store, isMeant: (owner: string) => boolean): string[] {
  return readdirSync(snapshotsPath(store, "active")).filter((id) => {
    const snapshot = findSnapshot(store, id);
    return snapshot !== null && snapshot !== "damaged" && isMeant(snapshot.owner);
  });
}

/** Removes a snapshot with what was written to it; one that is not there is fine. It must be mounted nowhere. */
export function removeSnapshot(store: Store, id: string): void {
  const directory = snapshotDirectory(store, id);
  if (exists(directory)) removeTree(directory);
}
