/** The images of a store by name: `index.json`. */
import { ConfigError } from "../../config/error.ts";
import { isIndex } from "../../config/generated/image.js";
import { readText } from "../../sys/file.ts";
import { parseDigest } from "./digest.ts";
import type { Descriptor, Index } from "./documents.ts";
import { MEDIA_TYPE } from "./media-types.ts";
import { parseDocument } from "./parse-documents.ts";
import { lockStore, replaceFile, type Store } from "./store.ts";

/** The annotations of an entry. */
export const ANNOTATION = {
  /** The image's full name, `docker.io/library/alpine:3.20`; an untagged image has none. @see image-spec, annotations.md */
  name: "org.opencontainers.image.ref.name",
  /** The same, where containerd and Docker look. */
  containerdName: "io.containerd.image.name",
  /** The digest of the index that the image was chosen from, by which it may be called, too. */
  chosenFrom: "tsrunc.chosen-from",
} as const;

/** An entry of `index.json`: an image under a name, or under none. */
export interface Entry {
  /** In full; `null` for an untagged image. */
  name: string | null;
  /** Of a manifest, or of an index whose images are kept together. */
  descriptor: Descriptor;
}

/**
 * The images, in the order in which they came.
 * @throws {ConfigError} when `index.json` has been damaged
 */
export function listEntries({ paths }: Store): Entry[] {
  const index = readIndex(paths.index);
  return index.manifests.map((descriptor, at) => {
    const name = descriptor.annotations?.[ANNOTATION.name] ?? null;
    try {
      parseDigest(descriptor.digest);
    } catch (error) {
      throw new ConfigError(`/manifests/${at}/digest`, undefined, (error as Error).message, paths.index);
    }
    return { name, descriptor };
  });
}

/** @throws {Error} with a way out: without its list nobody knows what a store has */
function readIndex(path: string): Index {
  try {
    return parseDocument<Index>(new TextEncoder().encode(readText(path)), isIndex, path);
  } catch (error) {
    const way = `write {"schemaVersion":2,"manifests":[]} to it, and pull or load the images again: what the store has of them is used`;
    throw new Error(`${(error as Error).message} (this is the store's list of images: ${way})`, { cause: error });
  }
}

/**
 * Changes the images. `change` gets the entries as they are now and gives back those that shall be; nobody else changes them meanwhile.
 * @param change quick and synchronous: the store's lock is held
 */
export async function changeEntries(store: Store, change: (entries: Entry[]) => Entry[]): Promise<void> {
  using _ = await lockStore(store, "exclusive");
  changeEntriesLocked(store, change);
}

/** {@link changeEntries} for who has the store's lock already, exclusively. */
export function changeEntriesLocked(store: Store, change: (entries: Entry[]) => Entry[]): void {
  const before = listEntries(store);
  const after = change(before);
  const text = indexOf(after);
  // Writing takes until the disk has it.
  if (text !== indexOf(before)) replaceFile(store.paths.index, text);
}

function indexOf(entries: readonly Entry[]): string {
  const index: Index = { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: entries.map(toDescriptor) };
  return `${JSON.stringify(index, null, 2)}\n`;
}

function toDescriptor({ name, descriptor }: Entry): Descriptor {
  const { annotations, ...rest } = descriptor;
  const { [ANNOTATION.name]: _, ...others } = annotations ?? {};
  const named = name === null ? others : { ...others, [ANNOTATION.name]: name };
  return Object.keys(named).length === 0 ? rest : { ...rest, annotations: named };
}

/**
 * Gives an image a name, or puts it in without one. Another image that had the name stays: without a name, unless it has a further one.
 * @param descriptor of a manifest or index whose contents a lease holds on to
 */
export function putImage(store: Store, name: string | null, descriptor: Descriptor): Promise<void> {
  return changeEntries(store, (entries) => withImage(entries, name, descriptor));
}

/** What {@link putImage} does, to a list. */
export function withImage(entries: readonly Entry[], name: string | null, descriptor: Descriptor): Entry[] {
  const isThis = (entry: Entry) => entry.descriptor.digest === descriptor.digest;
  // What has come to be the same again keeps its place.
  if (entries.some((entry) => isThis(entry) && (name === null || isSame(entry, { name, descriptor }))))
    return [...entries];
  const untagged = entries.map((entry) => (name !== null && entry.name === name ? { ...entry, name: null } : entry));
  return withoutDoubles([...untagged, { name, descriptor }]);
}

function isSame(one: Entry, other: Entry): boolean {
  return JSON.stringify(toDescriptor(one)) === JSON.stringify(toDescriptor(other));
}

/** Entries without a name of images that have one, or that are there without a name already, are superfluous. */
export function withoutDoubles(entries: readonly Entry[]): Entry[] {
  return entries.filter(
    ({ name, descriptor }, index) =>
      name !== null ||
      !entries.some(
        (other, at) => other.descriptor.digest === descriptor.digest && (other.name !== null || at < index),
      ),
  );
}
