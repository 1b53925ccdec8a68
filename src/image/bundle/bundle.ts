/** Makes a bundle of an image: a rootfs and a config.json, which the runtime starts. */
import { existsSync, mkdirSync, realpathSync } from "node:fs";
import { hasErrno } from "../../sys/error.ts";
import { type Fd, O, open } from "../../sys/fd.ts";
import { mkdirAllInRoot, openRoot } from "../../sys/path.ts";
import { dirname, join, resolve } from "../../sys/path-names.ts";
import { LowerLayers } from "../layer/lower-layers.ts";
import { Notices } from "../layer/notices.ts";
import { copyLayers as copyUnpacked, sharesContents } from "../snapshot/copy-tree.ts";
import { overlayNamespace } from "../snapshot/directories.ts";
import {
  createSnapshot,
  layersOfSnapshot,
  mountSnapshot,
  newSnapshotId,
  removeSnapshot,
} from "../snapshot/snapshot.ts";
import { extractStored, type UnpackProgress } from "../snapshot/unpack.ts";
import { Lease } from "../store/lease.ts";
import { foreignWarning, formatPlatform } from "../store/platform.ts";
import { type Image, type ResolveOptions, resolveImage } from "../store/resolve.ts";
import type { Store } from "../store/store.ts";
import { fitUser, mappedIds } from "./mapped-ids.ts";
import { claimBundle, removeBundle, replace } from "./marker.ts";
import type { BundleOptions } from "./options.ts";
import { plainUmask } from "./plain-umask.ts";
import { toRuntimeConfig } from "./runtime-config.ts";
import { readInImage, resolveUser } from "./user.ts";
import { makeVolumes } from "./volumes.ts";

export { removeBundle } from "./marker.ts";

/** Where a bundle comes from and goes to. */
export interface BundleRequest {
  store: Store;
  /** See `resolveImage`. */
  reference: string;
  platform?: ResolveOptions["platform"];
  /** Path of the bundle: it must not be there, or be empty. */
  directory: string;
  options: BundleOptions;
  progress?: UnpackProgress;
  /** Whether the bundle is removed by whoever makes it: what is written to it need not outlast anything. */
  isEphemeral?: boolean;
}

/**
 * Makes a bundle.
 * @returns the absolute path of its directory
 * @throws {Error} for what is wrong with the image, the options or the directory; nothing is left then
 */
export async function makeBundle(request: BundleRequest): Promise<string> {
  const { store, reference, options, progress = {} } = request;
  using lease = await Lease.take(store);
  const image = await resolveImage(store, reference, {
    lease,
    ...(request.platform ? { platform: request.platform } : {}),
  });
  const { os } = image.config;
  if (os !== "linux")
    throw new Error(
      `${image.name ?? reference}: is for ${formatPlatform(image.config)}: a container here runs what is for linux`,
    );
  const foreign = request.platform ? null : foreignWarning(image.name ?? reference, image.config);
  if (foreign !== null) progress.notice?.(foreign);
  const directory = realDirectory(request.directory);
  const snapshot = options.form === "overlay" ? newSnapshotId() : null;
  claimBundle(directory, {
    image: image.name ?? reference,
    digest: image.descriptor.digest,
    store: store.root,
    snapshot,
  });
  try {
    using _ = plainUmask();
    mkdirSync(join(directory, "rootfs"), { mode: 0o755 });
    if (snapshot !== null) await mountLayers(image, directory, snapshot, { ...request, progress });
    else await copyLayers(store, image, directory, options, progress);
    writeConfig(image, directory, options, progress);
    return directory;
  } catch (error) {
    removeBundle(directory);
    throw error;
  }
}

/**
 * The path with no symlinks on the way to it: what it names must stay what it names. A directory that is made is its owner's alone: in a rootfs that
 * others may go to, they could start what the image has of setuid programs (CVE-2021-41103).
 */
function realDirectory(path: string): string {
  const absolute = resolve(process.cwd(), path);
  try {
    return realpathSync(absolute);
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw notMade(path, error as Error);
  }
  try {
    mkdirSync(dirname(absolute), { recursive: true, mode: 0o755 });
    mkdirSync(absolute, { mode: 0o700 });
    return realpathSync(absolute);
  } catch (error) {
    throw notMade(path, error as Error);
  }
}

function notMade(path: string, { message }: Error): Error {
  return new Error(`${path}: the bundle's directory cannot be made: ${message}`);
}

async function mountLayers(
  image: Image,
  directory: string,
  id: string,
  { store, options: { limits, rootless }, progress = {}, isEphemeral = false }: BundleRequest,
): Promise<void> {
  if (rootless || process.geteuid?.() !== 0) {
    throw new Error(
      "an ordinary user cannot mount layers for others to see: use --copy, or make the bundle inside of `unshare -rm`",
    );
  }
  const snapshot = await createSnapshot(store, image.layers, { limits, progress, owner: directory, id });
  mountSnapshot(store, snapshot, join(directory, "rootfs"), isEphemeral);
}

/** Makes one tree of all layers: where the filesystem shares contents (reflinks), of the layers that the store has unpacked. */
async function copyLayers(
  store: Store,
  image: Image,
  directory: string,
  options: BundleOptions,
  progress: UnpackProgress,
): Promise<void> {
  const owners = options.rootless || process.geteuid?.() !== 0 ? "own" : "archive";
  // An ordinary user's store has no layers that are unpacked: nobody could mount them.
  if (owners === "archive" && sharesContents(store.paths.snapshots, join(directory, "rootfs")))
    return await cloneLayers(store, image, directory, options, progress);
  return await extractLayers(store, image, directory, options, owners, progress);
}

async function cloneLayers(
  store: Store,
  { layers }: Image,
  directory: string,
  { limits }: BundleOptions,
  progress: UnpackProgress,
): Promise<void> {
  const snapshot = await createSnapshot(store, layers, { limits, progress, owner: directory });
  const opened: Fd[] = [];
  try {
    for (const path of layersOfSnapshot(store, snapshot)) opened.unshift(open(path, O.RDONLY | O.DIRECTORY));
    using root = open(join(directory, "rootfs"), O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    const notices = new Notices();
    const context = { owners: "archive", overlay: snapshot.namespace, notices } as const;
    copyUnpacked(new LowerLayers(opened, snapshot.namespace), root, context);
    for (const notice of notices.lines()) progress.notice?.(notice);
  } finally {
    for (const one of opened) one.close();
    removeSnapshot(store, snapshot.id);
  }
}

/** Extracts all layers, one over the other; the next is decompressed while one is written. */
async function extractLayers(
  store: Store,
  { layers }: Image,
  directory: string,
  { limits }: BundleOptions,
  owners: "own" | "archive",
  progress: UnpackProgress,
): Promise<void> {
  using root = open(join(directory, "rootfs"), O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  const { LayerExtractor } = await import("../layer/layer-extractor.ts");
  await using extractor = new LayerExtractor();
  const extractOptions = { limits, owners, overlay: overlayNamespace() } as const;
  const extract = async (index: number) => {
    const layer = layers[index];
    if (layer === undefined) return;
    const { digest, size } = layer.descriptor;
    progress.begin?.(digest, size);
    const target = { kind: "whole", root, isEmpty: index === 0 } as const;
    const { notices } = await extractStored(extractor, store, layer, target, extractOptions, (bytes) =>
      progress.read?.(digest, bytes),
    );
    for (const notice of notices) progress.notice?.(notice);
    progress.end?.(digest);
  };
  let running = extract(0);
  for (let index = 0; index < layers.length; index++) {
    const ahead = extract(index + 1);
    ahead.catch(() => {});
    await running;
    running = ahead;
  }
}

function writeConfig({ config }: Image, directory: string, options: BundleOptions, progress: UnpackProgress): void {
  using rootfs = openRoot(join(directory, "rootfs"));
  const user = options.user ?? config.config?.User ?? "";
  const resolved = resolveUser(user, readInImage(rootfs, "/etc/passwd"), readInImage(rootfs, "/etc/group"));
  // Otherwise whoever it is is mapped to the caller.
  if (!options.rootless) {
    const { user: fit, left } = fitUser(`the user ${JSON.stringify(user)}`, resolved.user, mappedIds());
    resolved.user = fit;
    if (left.length > 0)
      progress.notice?.(
        `left out the supplementary groups ${left.join(", ")}: they are not mapped in this user namespace`,
      );
  }
  makeWorkingDirectory(rootfs, options.cwd ?? config.config?.WorkingDir ?? "");
  const { spec, notices } = toRuntimeConfig(config, options, {
    user: resolved,
    volumes: makeVolumes(
      rootfs,
      join(directory, "volumes"),
      [...Object.keys(config.config?.Volumes ?? {}), ...(options.unnamedVolumes ?? [])],
      options,
    ),
    cgroupV2: existsSync("/sys/fs/cgroup/cgroup.controllers"),
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
  });
  for (const notice of notices) progress.notice?.(notice);
  replace(join(directory, "config.json"), `${JSON.stringify(spec, null, 2)}\n`);
}

/** An image may name a working directory that it does not have. One that is there is left as it is. */
function makeWorkingDirectory(rootfs: Fd, path: string): void {
  if (path !== "") mkdirAllInRoot(rootfs, path).close();
}
