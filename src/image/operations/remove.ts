/** `image tag`, `untag`, `rm`, `prune`. */
import { familiarReference, formatReference, parseName, parseReference } from "../reference/reference.ts";
import { type Collector, collectLocked, type Garbage, reachableFrom, UnknownContentError } from "../store/collect.ts";
import type { Digest } from "../store/digest.ts";
import { changeEntriesLocked, type Entry, listEntries, withImage, withoutDoubles } from "../store/images.ts";
import { findEntry, NoSuchImageError } from "../store/resolve.ts";
import { lockStore, type Store } from "../store/store.ts";

/** Gives an image a further name. @returns the name in full */
export async function tagImage(store: Store, source: string, target: string): Promise<string> {
  const name = parseName(target);
  const { descriptor } = await findEntry(store, source);
  using _ = await lockStore(store, "exclusive");
  changeEntriesLocked(store, (entries) => {
    if (!entries.some((entry) => entry.descriptor.digest === descriptor.digest))
      throw new NoSuchImageError(`no such image: ${source}: it has been removed meanwhile`);
    return withImage(entries, name, descriptor);
  });
  return name;
}

/** Takes names from their images, which stay, without a name if they have no other. */
export async function untagImages(store: Store, names: readonly string[]): Promise<string[]> {
  using _ = await lockStore(store, "exclusive");
  const full = names.map((name) => formatReference(parseReference(name)));
  changeEntriesLocked(store, (entries) => {
    for (const [at, name] of full.entries()) {
      if (!entries.some((entry) => entry.name === name)) throw new NoSuchImageError(`no image is called ${names[at]}`);
    }
    return withoutDoubles(
      entries.map((entry) => (entry.name !== null && full.includes(entry.name) ? { ...entry, name: null } : entry)),
    );
  });
  return full;
}

/** What was removed. */
export interface Removed {
  /** Names that were taken away. */
  untagged: string[];
  /** Digests of images that are gone. */
  deleted: Digest[];
  garbage: Garbage[];
}

/** Some of several images could not be removed. */
export class NotRemovedError extends Error {
  override readonly name = "NotRemovedError";

  constructor(
    message: string,
    /** What was. */
    readonly removed: Removed,
  ) {
    super(message);
  }
}

export interface RemoveOptions {
  /** An image that is named by its id goes with all its names, and one that is not there is no error. */
  force?: boolean;
  collectors?: readonly Collector[];
}

/**
 * Removes images: by a name, that name, and the image with its last; by an id, the image, if it has one name at most.
 * Contents that other images have, or that somebody is using, stay.
 * @throws {NotRemovedError} one line, when all that can be removed has been
 */
export async function removeImages(
  store: Store,
  references: readonly string[],
  { force = false, collectors = [] }: RemoveOptions = {},
): Promise<Removed> {
  const removed: Removed = { untagged: [], deleted: [], garbage: [] };
  const failures: string[] = [];
  for (const reference of references) {
    try {
      const entry = await findEntry(store, reference);
      using _ = await lockStore(store, "exclusive");
      removeLocked(store, reference, entry, { force, collectors }, removed);
    } catch (error) {
      if (!(force && error instanceof NoSuchImageError)) failures.push((error as Error).message);
    }
  }
  if (failures.length > 0) throw new NotRemovedError(failures.join("; "), removed);
  return removed;
}

function removeLocked(
  store: Store,
  reference: string,
  { name, descriptor }: Entry,
  { force = false, collectors = [] }: RemoveOptions,
  removed: Removed,
): void {
  const { digest } = descriptor;
  const isThis = (entry: Entry) => entry.descriptor.digest === digest;
  const before = listEntries(store).filter(isThis);
  const byName = isName(reference, name);
  if (!byName && before.length > 1 && !force) {
    const names = before.map((one) => familiarReference(parseReference(one.name as string))).join(", ");
    throw new Error(`${reference}: the image has several names: ${names}: remove those, or use --force`);
  }
  const contents = contentsOf(store, descriptor);
  const goes = (entry: Entry) => isThis(entry) && (!byName || entry.name === name);
  changeEntriesLocked(store, (entries) => entries.filter((entry) => !goes(entry)));
  removed.untagged.push(...before.filter(goes).flatMap((entry) => (entry.name === null ? [] : [entry.name])));
  if (listEntries(store).some(isThis)) return;
  removed.deleted.push(digest);
  try {
    removed.garbage.push(...collectLocked(store, { only: contents, collectors }));
  } catch (error) {
    // Another image is damaged, and nobody knows what it has: the contents stay for prune.
    if (!(error instanceof UnknownContentError)) throw error;
  }
}

function isName(reference: string, name: string | null): boolean {
  if (name === null) return false;
  try {
    const parsed = parseReference(reference);
    return formatReference(parsed) === name;
  } catch {
    return false;
  }
}

/** Of a damaged image, what is known. */
function contentsOf(store: Store, descriptor: Entry["descriptor"]): Set<Digest> {
  try {
    return reachableFrom(store, descriptor);
  } catch {
    return new Set([descriptor.digest]);
  }
}

export interface PruneOptions {
  dryRun?: boolean;
  collectors?: readonly Collector[];
}

/** Removes images without a name, contents that belong to no image, and what interrupted commands have left. Images with a name stay. */
export async function pruneStore(
  store: Store,
  { dryRun = false, collectors = [] }: PruneOptions = {},
): Promise<Removed> {
  using _ = await lockStore(store, "exclusive");
  const untagged = listEntries(store).filter(({ name }) => name === null);
  // First the entries, then the contents: whoever is killed in between leaves nothing but garbage.
  if (!dryRun && untagged.length > 0)
    changeEntriesLocked(store, (entries) => entries.filter(({ name }) => name !== null));
  const garbage = collectLocked(store, {
    dryRun,
    partials: true,
    collectors,
    entries: listEntries(store).filter(({ name }) => name !== null),
  });
  return { untagged: [], deleted: untagged.map(({ descriptor }) => descriptor.digest), garbage };
}

/** A line for each thing that was removed. */
export function describeRemoved({ untagged, deleted }: Removed): string[] {
  return [
    ...untagged.map((name) => `Untagged: ${familiarReference(parseReference(name))}`),
    ...deleted.map((digest) => `Deleted: ${digest}`),
  ];
}
