/** From what a person writes to an image of the store. */
import { formatReference, parseReference, repositoryName } from "../reference/reference.ts";
import { readBlob } from "./blobs.ts";
import { chooseImage } from "./choose.ts";
import { type Digest, shortDigest, splitDigest } from "./digest.ts";
import type { Descriptor, ImageConfig, Manifest, Platform } from "./documents.ts";
import { ANNOTATION, type Entry, listEntries } from "./images.ts";
import type { Lease } from "./lease.ts";
import { isIndexType, type LayerKind, layerKind, whyNoImage } from "./media-types.ts";
import { parseImageConfig, parseRoot } from "./parse-documents.ts";
import { fitness, formatPlatform, machinePlatform } from "./platform.ts";
import type { Store } from "./store.ts";

/** A layer of an image. */
export interface Layer {
  /** Of the archive as it is in the store. */
  descriptor: Descriptor;
  /** The digest of the plain tar archive. */
  diffId: Digest;
  /** What the media type says. How it is compressed show the first bytes. */
  kind: LayerKind;
}

/** An image for one platform, with all that a bundle is made of. */
export interface Image {
  /** The name that it was called by in full, or the first that it has; `null` for an untagged one. */
  name: string | null;
  /** Of the manifest. */
  descriptor: Descriptor;
  manifest: Manifest;
  config: ImageConfig;
  /** Of what `image list` calls the image's id: the configuration. */
  configDigest: Digest;
  /** The lowest first. */
  layers: Layer[];
}

/** No image is meant by a reference. */
export class NoSuchImageError extends Error {
  override readonly name = "NoSuchImageError";
}

/** How an image is looked for. */
export interface ResolveOptions {
  /** Default: this machine's. An image of another one is not taken, unless it was chosen when it was pulled and nothing is said here. */
  platform?: Platform;
  /** Made to hold on to all that belongs to the image, before its documents are read. */
  lease?: Lease;
}

/**
 * Finds an image and reads its documents. `reference` is a name (`alpine`, `localhost:5000/a:1`), a name with the digest of a manifest or
 * index, or the beginning of an id: of the digest of a configuration or of a manifest, with or without the algorithm.
 * @throws {NoSuchImageError}
 * @throws {Error} for the beginning of several ids; for what is no image (an artifact, layers of an unknown type, diffIDs that do not match)
 * @throws {MissingBlobError} {@link DamagedBlobError} {@link ConfigError}
 */
export async function resolveImage(store: Store, reference: string, options: ResolveOptions = {}): Promise<Image> {
  const entry = await findEntry(store, reference);
  return await readImage(store, entry, options);
}

/**
 * Finds an entry of `index.json`.
 * @throws {NoSuchImageError}
 * @throws {Error} when several images are meant
 */
export async function findEntry(store: Store, reference: string): Promise<Entry> {
  const entries = listEntries(store);
  const found = byName(entries, reference) ?? (await byId(store, entries, reference));
  if (found !== null) return found;
  throw new NoSuchImageError(
    `no such image: ${reference} ("tsrunc image list" shows those there are; "tsrunc image pull" fetches one)`,
  );
}

function byName(entries: readonly Entry[], reference: string): Entry | null {
  const parsed = orNothing(() => parseReference(reference));
  if (parsed === null) return null;
  const { digest } = parsed;
  if (digest === null) return entries.find(({ name }) => name === formatReference(parsed)) ?? null;
  const repository = repositoryName(parsed);
  const isOfRepository = ({ name }: Entry) => name !== null && repositoryName(parseReference(name)) === repository;
  return entries.find((entry) => isOfRepository(entry) && isCalled(entry, digest)) ?? null;
}

/** Whether an entry's digest, or that of the index it was chosen from, is this one. */
function isCalled({ descriptor }: Entry, digest: Digest): boolean {
  return descriptor.digest === digest || descriptor.annotations?.[ANNOTATION.chosenFrom] === digest;
}

function orNothing<T>(act: () => T): T | null {
  try {
    return act();
  } catch {
    return null;
  }
}

/** The fewest digits that are looked at as the beginning of an id. */
const FEWEST_DIGITS = 4;

async function byId(store: Store, entries: readonly Entry[], reference: string): Promise<Entry | null> {
  const hex = reference.replace(/^sha(256|512):/, "");
  if (hex.length < FEWEST_DIGITS || !/^[0-9a-f]+$/.test(hex)) return null;
  const begins = (digest: Digest | null) => digest !== null && splitDigest(digest).hex.startsWith(hex);
  const found = new Map<Digest, Entry>();
  for (const entry of entries) {
    const isIt = begins(entry.descriptor.digest) || begins(await configDigestOf(store, entry.descriptor));
    if (isIt && !found.has(entry.descriptor.digest)) found.set(entry.descriptor.digest, entry);
  }
  if (found.size > 1) {
    const ids = [...found.keys()].map(shortDigest).join(", ");
    throw new Error(
      `${reference} is the beginning of the ids of ${found.size} images, whose digests begin with ${ids}: write more of it`,
    );
  }
  return [...found.values()][0] ?? null;
}

/** The id of an image; `null` for an index, and for one whose manifest cannot be read, which is no reason not to find others. */
async function configDigestOf(store: Store, descriptor: Descriptor): Promise<Digest | null> {
  if (isIndexType(descriptor.mediaType)) return null;
  try {
    const root = parseRoot(await readBlob(store, descriptor), descriptor.mediaType, descriptor.digest);
    return root.kind === "manifest" ? root.document.config.digest : null;
  } catch {
    return null;
  }
}

/** Reads the documents of an entry: of its manifest, or of the one for the platform in its index. @throws as {@link resolveImage} */
export async function readImage(
  store: Store,
  { name, descriptor }: Entry,
  options: ResolveOptions = {},
): Promise<Image> {
  const label = name ?? descriptor.digest;
  const chosen = await chooseManifest(store, descriptor, options, label);
  const { config } = chosen.manifest;
  await options.lease?.protect([config.digest, ...chosen.manifest.layers.map(({ digest }) => digest)]);
  refuseArtifact(chosen.manifest, label);
  const parsed = parseImageConfig(await readBlob(store, config), `config of ${label}`);
  if (options.platform !== undefined && fitness(parsed, options.platform) === null) {
    throw new ForeignImageError(
      `${label}: is for ${formatPlatform(parsed)}, not for ${formatPlatform(options.platform)}`,
    );
  }
  return {
    name,
    ...chosen,
    config: parsed,
    configDigest: config.digest,
    layers: layersOf(chosen.manifest, parsed, label),
  };
}

async function chooseManifest(
  store: Store,
  root: Descriptor,
  { platform, lease }: ResolveOptions,
  label: string,
): Promise<Pick<Image, "descriptor" | "manifest">> {
  const read = async (descriptor: Descriptor) => {
    await lease?.protect([descriptor.digest]);
    return { root: parseRoot(await readBlob(store, descriptor), descriptor.mediaType, `manifest of ${label}`) };
  };
  const config = async ({ config: one }: Manifest) =>
    parseImageConfig(await readBlob(store, one), `config of ${label}: ${one.digest}`);
  const parsed = (await read(root)).root;
  if (parsed.kind === "manifest") return { descriptor: root, manifest: parsed.document };
  const wanted = platform ?? machinePlatform();
  return await chooseImage(parsed.document, wanted, { read, config }, label);
}

/** An image is for another platform than the wanted one. */
export class ForeignImageError extends Error {}

function refuseArtifact(manifest: Manifest, label: string): void {
  const why = whyNoImage(manifest);
  if (why !== null) throw new Error(`${label}: ${why}`);
}

/** Pairs the layers with their diffIDs. @throws {Error} for another number of them, and for layers that cannot be unpacked */
export function layersOf(manifest: Manifest, { rootfs }: ImageConfig, label: string): Layer[] {
  refuseArtifact(manifest, label);
  const diffIds = rootfs.diff_ids ?? [];
  if (diffIds.length !== manifest.layers.length) {
    throw new Error(
      `${label}: the manifest has ${manifest.layers.length} layers, and the config has diff_ids for ${diffIds.length}`,
    );
  }
  return manifest.layers.map((descriptor, index) => ({
    descriptor,
    diffId: diffIds[index] as Digest,
    kind: layerKind(descriptor.mediaType) as LayerKind,
  }));
}
