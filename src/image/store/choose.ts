/** From an index to the image in it that runs on a platform. @see image-spec, image-index.md */
import { isDigest } from "./digest.ts";
import type { Descriptor, ImageConfig, Index, Manifest, Platform } from "./documents.ts";
import { isConfigType, isRootType, whyNoImage } from "./media-types.ts";
import type { Root } from "./parse-documents.ts";
import { fitness, formatPlatform, isRunnable } from "./platform.ts";

/** How deep indexes may be in each other. */
export const DEEPEST_INDEX = 4;
/** How many documents are read to find one. */
const MOST_READ = 64;

/** Where the documents of an index come from. */
export interface DocumentSource<T extends { root: Root }> {
  /** Of a manifest or an index. */
  read(descriptor: Descriptor): Promise<T>;
  config(manifest: Manifest): Promise<ImageConfig>;
}

/** The image that was found. */
export interface Chosen<T> {
  /** As an index lists it. */
  descriptor: Descriptor;
  found: T;
  manifest: Manifest;
}

/** An index has nothing for a platform. */
export class NoSuchPlatformError extends Error {
  override readonly name = "NoSuchPlatformError";

  /** @param offered what it has, where that is known */
  constructor(label: string, wanted: Platform, offered: readonly (Platform | null | undefined)[]) {
    const names = offered.flatMap((platform) =>
      platform && !["", "unknown"].includes(platform.os) ? [formatPlatform(platform)] : [],
    );
    const there =
      names.length === 0 ? "it has no images that say what they are for" : `it has ${[...new Set(names)].join(", ")}`;
    super(`${label}: has no image for ${formatPlatform(wanted)}: ${there} (see --platform)`);
  }
}

/**
 * Finds the image for a platform: of the manifests that say theirs the best; else in what says none, an index or a manifest, the first that
 * has one or, by its configuration, is one.
 * @throws {NoSuchPlatformError}
 * @throws {Error} for an artifact in the place of the image, and for an index that is too deep or too wide to be looked through
 */
export async function chooseImage<T extends { root: Root }>(
  index: Index,
  wanted: Platform,
  source: DocumentSource<T>,
  label: string,
): Promise<Chosen<T>> {
  const offered: (Platform | null | undefined)[] = [];
  const seen = new Set<string>();
  let artifact: string | null = null;
  async function search({ manifests }: Index, depth: number): Promise<Chosen<T> | null> {
    if (depth > DEEPEST_INDEX) throw new Error(`${label}: more than ${DEEPEST_INDEX} indexes are in each other`);
    offered.push(...manifests.map(({ platform }) => platform));
    for (const descriptor of candidatesFor(manifests, wanted)) {
      if (seen.has(descriptor.digest)) continue;
      seen.add(descriptor.digest);
      if (seen.size > MOST_READ)
        throw new Error(`${label}: after ${MOST_READ} of its manifests none is for ${formatPlatform(wanted)}`);
      const found = await source.read(descriptor);
      const { root } = found;
      if (root.kind === "index") {
        const inner = await search(root.document, depth + 1);
        if (inner !== null) return inner;
      } else if (isConfigType(root.document.config.mediaType)) {
        // Who lists it without a platform leaves that to its configuration.
        const own = descriptor.platform ?? (await source.config(root.document));
        if (fitness(own, wanted) !== null) return { descriptor, found, manifest: root.document };
        offered.push(own);
      } else if (descriptor.platform) artifact ??= whyNoImage(root.document);
    }
    return null;
  }
  const chosen = await search(index, 1);
  if (chosen !== null) return chosen;
  if (artifact !== null) throw new Error(`${label}: what it has for ${formatPlatform(wanted)} ${artifact}`);
  throw new NoSuchPlatformError(label, wanted, offered);
}

/** What demands features of the system, of which nobody here knows whether it has them, comes after what does not. */
const DEMANDING = 1e6;

/**
 * The manifests and indexes that may be or have an image for a platform, the best first: those that say so by variant, of equals in their order;
 * then those that do not say what they are for. What is listed by a media type or a digest that is not known is for others.
 */
export function candidatesFor(manifests: readonly Descriptor[], wanted: Platform): Descriptor[] {
  const ranked: { descriptor: Descriptor; rank: number }[] = [];
  for (const descriptor of manifests) {
    const { platform, mediaType, digest } = descriptor;
    if (!isRootType(mediaType) || !isDigest(digest) || !isRunnable(descriptor)) continue;
    const fit = platform ? fitness(platform, wanted) : Number.MAX_SAFE_INTEGER;
    if (fit === null) continue;
    ranked.push({ descriptor, rank: fit + (platform?.["os.features"]?.length ? DEMANDING : 0) });
  }
  return ranked.toSorted((one, other) => one.rank - other.rank).map(({ descriptor }) => descriptor);
}
