/** `image list`, `inspect` and `history`: what there is. */
import { parseReference, repositoryName } from "../reference/reference.ts";
import { readBlob } from "../store/blobs.ts";
import type { Digest } from "../store/digest.ts";
import type { Descriptor, ImageConfig, Index, Manifest } from "../store/documents.ts";
import { documentsBelow } from "../store/documents-below.ts";
import { ANNOTATION, type Entry, listEntries } from "../store/images.ts";
import { isIndexType, whyNoImage } from "../store/media-types.ts";
import { parseRoot } from "../store/parse-documents.ts";
import { formatPlatform } from "../store/platform.ts";
import { findEntry, type ResolveOptions, readImage } from "../store/resolve.ts";
import type { Store } from "../store/store.ts";

/** A line of the list. */
export interface ListedImage {
  /** `null` for an untagged image. */
  name: string | null;
  /** `docker.io/library/alpine`, `null` without a name. */
  repository: string | null;
  tag: string | null;
  /** Of the manifest or index. */
  digest: Digest;
  /** Of the index that it was chosen from, if there was one. */
  chosenFrom: Digest | null;
  /** The digest of its configuration; `null` for an index, for an artifact, many of which have the same, and where it cannot be read. */
  id: Digest | null;
  /** `linux/amd64`; of an index all of them. */
  platforms: string[];
  /** RFC 3339. */
  created: string | null;
  /** What it is for, where it is no image to run; `null` for an image. */
  artifactType: string | null;
  /** Bytes of config and layers as they are in the store; of an index of all its images that are there. */
  size: number;
  /** Why it cannot be read, where it cannot. */
  problem: string | null;
}

/** The images, in the order in which they came. A damaged one is listed with what is wrong. */
export async function listImages(store: Store): Promise<ListedImage[]> {
  return await Promise.all(listEntries(store).map((entry) => describeEntry(store, entry)));
}

async function describeEntry(store: Store, { name, descriptor }: Entry): Promise<ListedImage> {
  const reference = name === null ? null : parseReference(name);
  const common = {
    name,
    repository: reference === null ? null : repositoryName(reference),
    tag: reference?.tag ?? null,
    digest: descriptor.digest,
    chosenFrom: (descriptor.annotations?.[ANNOTATION.chosenFrom] as Digest | undefined) ?? null,
  };
  const nothing = { id: null, platforms: [], created: null, artifactType: null, size: descriptor.size };
  try {
    if (isIndexType(descriptor.mediaType))
      return { ...common, ...nothing, ...(await describeIndex(store, descriptor)), problem: null };
    const artifact = await findArtifact(store, descriptor, name ?? descriptor.digest);
    if (artifact !== null) return { ...common, ...nothing, ...artifact, problem: null };
    const { configDigest, config, manifest } = await readImage(store, { name, descriptor });
    return {
      ...common,
      id: configDigest,
      platforms: [formatPlatform(config)],
      created: config.created ?? null,
      artifactType: null,
      size: sizeOf(manifest),
      problem: null,
    };
  } catch (error) {
    return { ...common, ...nothing, problem: (error as Error).message };
  }
}

/** What is kept for other programs. @see image-spec, manifest.md, "Guidelines for Artifact Usage" */
async function findArtifact(
  store: Store,
  descriptor: Descriptor,
  label: string,
): Promise<Pick<ListedImage, "artifactType" | "size"> | null> {
  const root = parseRoot(await readBlob(store, descriptor), descriptor.mediaType, `manifest of ${label}`);
  if (root.kind === "index" || whyNoImage(root.document) === null) return null;
  const { artifactType, config } = root.document;
  return { artifactType: artifactType || config.mediaType, size: sizeOf(root.document) };
}

async function describeIndex(store: Store, descriptor: Descriptor): Promise<Pick<ListedImage, "platforms" | "size">> {
  let platforms: string[] = [];
  let size = 0;
  for await (const { descriptor: one, root } of documentsBelow(store, descriptor, descriptor.digest)) {
    if (root instanceof Error && one === descriptor) throw root;
    if (root instanceof Error) continue;
    if (root.kind === "manifest") size += sizeOf(root.document);
    else if (one === descriptor) platforms = platformsOf(root.document);
  }
  return { platforms, size };
}

function platformsOf({ manifests }: Index): string[] {
  return manifests.flatMap(({ platform }) => (platform && platform.os !== "unknown" ? [formatPlatform(platform)] : []));
}

function sizeOf({ config, layers }: Manifest): number {
  return layers.reduce((sum, { size }) => sum + size, config.size);
}

/** All there is to know of an image. */
export interface InspectedImage {
  id: Digest;
  names: string[];
  digest: Digest;
  chosenFrom: Digest | null;
  platform: string;
  created: string | null;
  author: string | null;
  /** Bytes, of config and layers. */
  size: number;
  mediaType: string;
  config: ImageConfig["config"];
  annotations: Record<string, string>;
  layers: {
    digest: Digest;
    diffId: Digest;
    mediaType: string;
    size: number;
    /** Other images that have it, too, by name or digest. */
    sharedWith: string[];
  }[];
  history: NonNullable<ImageConfig["history"]>;
}

/** @throws as {@link resolveImage} */
export async function inspectImage(
  store: Store,
  reference: string,
  options: ResolveOptions = {},
): Promise<InspectedImage> {
  const entry = await findEntry(store, reference);
  const { descriptor, manifest, config, configDigest, layers } = await readImage(store, entry, options);
  const entries = listEntries(store);
  const owners = await layerOwners(store, entries, entry.descriptor.digest);
  return {
    id: configDigest,
    names: entries.flatMap(({ name, descriptor: { digest } }) =>
      name !== null && digest === entry.descriptor.digest ? [name] : [],
    ),
    digest: descriptor.digest,
    chosenFrom: (entry.descriptor.annotations?.[ANNOTATION.chosenFrom] as Digest | undefined) ?? null,
    platform: formatPlatform(config),
    created: config.created ?? null,
    author: config.author ?? null,
    size: sizeOf(manifest),
    mediaType: descriptor.mediaType,
    config: config.config ?? null,
    annotations: { ...manifest.annotations },
    layers: layers.map(({ descriptor: { digest, mediaType, size }, diffId }) => ({
      digest,
      diffId,
      mediaType,
      size,
      sharedWith: owners.get(digest) ?? [],
    })),
    history: (config.history ?? []).map(withoutNulls),
  };
}

/** What is `null` in a step is as if it were not there. */
function withoutNulls<T extends object>(step: T): T {
  return Object.fromEntries(Object.entries(step).filter(([, value]) => value !== null)) as T;
}

async function layerOwners(store: Store, entries: readonly Entry[], except: Digest): Promise<Map<Digest, string[]>> {
  const owners = new Map<Digest, string[]>();
  for (const { name, descriptor } of entries.filter((entry) => entry.descriptor.digest !== except)) {
    for (const digest of await layersBelow(store, descriptor))
      owners.set(digest, [...(owners.get(digest) ?? []), name ?? descriptor.digest]);
  }
  return owners;
}

/** What is damaged or not there is left out: of another image nobody has asked. */
async function layersBelow(store: Store, descriptor: Descriptor): Promise<Set<Digest>> {
  const layers = new Set<Digest>();
  for await (const { root } of documentsBelow(store, descriptor, descriptor.digest)) {
    if (root instanceof Error || root.kind === "index") continue;
    for (const { digest } of root.document.layers) layers.add(digest);
  }
  return layers;
}

/** A step of an image's making, with the layer it made. */
export interface HistoryStep {
  created: string | null;
  createdBy: string;
  comment: string;
  /** Bytes of the layer as it is in the store; 0 for a step without. */
  size: number;
  layer: Digest | null;
}

/** The steps, the last first. Layers that no step claims come after those that do. */
export function historyOf({ history, layers }: Pick<InspectedImage, "history" | "layers">): HistoryStep[] {
  let next = 0;
  const steps = history.map(({ created, created_by: createdBy, comment, empty_layer: empty }): HistoryStep => {
    const layer = empty ? undefined : layers[next++];
    return {
      created: created ?? null,
      createdBy: createdBy ?? "",
      comment: comment ?? "",
      size: layer?.size ?? 0,
      layer: layer?.digest ?? null,
    };
  });
  const rest = layers
    .slice(next)
    .map(({ size, digest }): HistoryStep => ({ created: null, createdBy: "", comment: "", size, layer: digest }));
  return [...steps, ...rest].toReversed();
}
