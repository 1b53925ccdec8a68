/**
 * Collecting: removing what belongs to no image, and to nobody at work.
 *
 * What lives is what can be reached from `index.json` and what leases hold on to. Both are read, and the rest removed, with the store's lock
 * held exclusively: nobody adds to either meanwhile. It does not take long, since nothing but names is removed.
 */
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { exists, readDirectory, unlink } from "../../sys/file.ts";
import { join } from "../../sys/path-names.ts";
import { blobPath, hasBlob } from "./blobs.ts";
import { type Digest, digestOf, isDigest, splitDigest } from "./digest.ts";
import type { Descriptor } from "./documents.ts";
import { type Entry, listEntries } from "./images.ts";
import { leasedDigests } from "./lease.ts";
import { tryLock } from "./lock.ts";
import { isRootType } from "./media-types.ts";
import { LARGEST_DOCUMENT, parseImageConfig, parseRoot, type Root } from "./parse-documents.ts";
import { makeDirectories, type Store } from "./store.ts";

/** What lives in a store. */
export interface Live {
  /** Contents, by digest: those of images, and those that leases hold on to. */
  blobs: ReadonlySet<Digest>;
  /** For each image, the diffIDs of its layers, the lowest first. Of images whose documents cannot be read there is nothing. */
  stacks: readonly (readonly Digest[])[];
}

/** Something that was removed, or that would be. */
export interface Garbage {
  kind: "blob" | "partial" | "snapshot" | "cache";
  /** A digest, or a name below the store. */
  name: string;
  /** Bytes. */
  size: number;
}

/** Collects what is not below `blobs/`: called with the store's lock held. @returns what it removed, or would have with `dryRun` */
export type Collector = (store: Store, live: Live, options: { dryRun: boolean }) => Garbage[];

/** Bytes that a file takes, or a directory with all below it. */
export function bytesBelow(path: string): number {
  const stat = lstatSync(path);
  const own = stat.blocks * 512;
  if (!stat.isDirectory()) return own;
  return readdirSync(path).reduce((sum, name) => sum + bytesBelow(join(path, name)), own);
}

/** Contents of an image are damaged or missing, so nobody knows what else belongs to it. */
export class UnknownContentError extends Error {
  override readonly name = "UnknownContentError";
}

/**
 * What can be reached. The store's lock must be held exclusively.
 * @throws {UnknownContentError} when a manifest is missing or damaged: what it refers to must not be taken for garbage
 */
export function findLive(store: Store, entries: readonly Entry[] = listEntries(store)): Live {
  const blobs = new Set<Digest>();
  const stacks: Digest[][] = [];
  for (const { name, descriptor } of entries) visit(store, descriptor, name ?? descriptor.digest, blobs, stacks);
  for (const digest of leasedDigests(store)) blobs.add(digest);
  return { blobs, stacks };
}

/** Every digest that a descriptor leads to, itself included. @throws {UnknownContentError} */
export function reachableFrom(store: Store, descriptor: Descriptor): Set<Digest> {
  const blobs = new Set<Digest>();
  visit(store, descriptor, descriptor.digest, blobs, []);
  return blobs;
}

function visit(store: Store, root: Descriptor, label: string, blobs: Set<Digest>, stacks: Digest[][]): void {
  const queue: { descriptor: Descriptor; optional: boolean }[] = [{ descriptor: root, optional: false }];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const { descriptor, optional } = next;
    // What is listed by an algorithm that is not known here is not here.
    if (!isDigest(descriptor.digest) || blobs.has(descriptor.digest)) continue;
    blobs.add(descriptor.digest);
    if (!isRootType(descriptor.mediaType)) continue;
    // Of an index not all images need be here.
    if (optional && !hasBlob(store, descriptor)) continue;
    const parsed = readRoot(store, descriptor, label);
    if (parsed.kind === "index") {
      for (const child of parsed.document.manifests) queue.push({ descriptor: child, optional: true });
      continue;
    }
    const { config, layers, subject } = parsed.document;
    for (const { digest } of [config, ...layers]) blobs.add(digest);
    if (subject) queue.push({ descriptor: subject, optional: true });
    const stack = diffIds(store, config);
    if (stack !== null) stacks.push(stack);
  }
}

function readRoot(store: Store, descriptor: Descriptor, label: string): Root {
  try {
    return parseRoot(readVerified(store, descriptor), descriptor.mediaType, `manifest of ${label}`);
  } catch (error) {
    const why = (error as Error).message;
    throw new UnknownContentError(
      `${label}: what belongs to it is not known: ${why}; pull it again, or remove it with "tsrunc image rm"`,
    );
  }
}

function diffIds(store: Store, config: Descriptor): Digest[] | null {
  try {
    return parseImageConfig(readVerified(store, config), config.digest).rootfs.diff_ids;
  } catch {
    return null;
  }
}

/** Synchronously, unlike `readBlob`: a lock is held. */
function readVerified(store: Store, { digest, size }: Descriptor): Uint8Array {
  if (size > LARGEST_DOCUMENT) throw new Error(`${digest} is too large`);
  const bytes = readFileSync(blobPath(store, digest));
  if (digestOf(bytes, splitDigest(digest).algorithm) !== digest) throw new Error(`${digest} is damaged`);
  return bytes;
}

/** What is to be collected. */
export interface CollectOptions {
  /** Whether nothing is removed, but told. */
  dryRun?: boolean;
  /** Only these contents; default: all. */
  only?: ReadonlySet<Digest>;
  /** What counts as the images; default: all. */
  entries?: readonly Entry[];
  /** Also what interrupted processes have left below `ingest/`. */
  partials?: boolean;
  collectors?: readonly Collector[];
}

/**
 * Removes what does not live. The store's lock must be held exclusively.
 * @returns what was removed, or would have been
 */
export function collectLocked(store: Store, options: CollectOptions = {}): Garbage[] {
  const { dryRun = false, only, partials = false, collectors = [] } = options;
  makeDirectories(store.paths);
  const live = findLive(store, options.entries);
  const garbage = collectors.flatMap((collect) => collect(store, live, { dryRun }));
  for (const { digest, path } of blobFiles(store)) {
    if (live.blobs.has(digest) || (only !== undefined && !only.has(digest))) continue;
    garbage.push({ kind: "blob", name: digest, size: lstatSync(path).size });
    if (!dryRun) unlink(path);
  }
  return partials ? [...garbage, ...collectPartials(store, dryRun)] : garbage;
}

/** All contents there are, by the names of their files; a file of another name is none of the store's. */
export function blobFiles({ paths }: Store): { digest: Digest; path: string }[] {
  return (["sha256", "sha512"] as const).flatMap((algorithm) => {
    const directory = join(paths.blobs, algorithm);
    if (!exists(directory)) return [];
    return readDirectory(directory).flatMap(({ name }) => {
      const digest = `${algorithm}:${name}`;
      return isDigest(digest) ? [{ digest, path: join(directory, name) }] : [];
    });
  });
}

function collectPartials({ paths, root }: Store, dryRun: boolean): Garbage[] {
  const garbage: Garbage[] = [];
  for (const { name } of readDirectory(paths.ingest)) {
    const path = join(paths.ingest, name);
    using idle = tryLock(path, "exclusive");
    if (idle === null) continue;
    garbage.push({ kind: "partial", name: `ingest/${name}`, size: lstatSync(path).size });
    if (!dryRun) unlink(path);
  }
  // A file that was about to replace index.json.
  for (const { name } of readDirectory(root).filter(({ name }) => /^index\.json\.[0-9a-f]{12}\.new$/.test(name))) {
    garbage.push({ kind: "partial", name, size: lstatSync(join(root, name)).size });
    if (!dryRun) unlink(join(root, name));
  }
  return garbage;
}
