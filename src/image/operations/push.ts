/** `image push`: from the store to a registry. */
import type { Reporter } from "../progress/reporter.ts";
import { familiarReference, parseReference, type Reference } from "../reference/reference.ts";
import { RepositoryClient } from "../registry/client.ts";
import { findCredentials } from "../registry/credentials.ts";
import { endpointsOf } from "../registry/endpoints.ts";
import { listReferrer } from "../registry/referrers.ts";
import { DEFAULT_PATIENCE } from "../registry/retry.ts";
import { pushBlob, pushRoot } from "../registry/write.ts";
import { hasBlob, MissingBlobError, readBlob } from "../store/blobs.ts";
import { reachableFrom } from "../store/collect.ts";
import { type Digest, isDigest, shortDigest } from "../store/digest.ts";
import type { Descriptor } from "../store/documents.ts";
import { listEntries } from "../store/images.ts";
import { Lease } from "../store/lease.ts";
import { isRootType, layerKind } from "../store/media-types.ts";
import { parseRoot } from "../store/parse-documents.ts";
import { readRange } from "../store/read-range.ts";
import { findEntry } from "../store/resolve.ts";
import { lockStore, type Store } from "../store/store.ts";
import { inParallel } from "./in-parallel.ts";
import type { RegistryOptions } from "./pull.ts";

export interface PushOptions extends RegistryOptions {
  /** Bytes of a blob sent at a time; default: all at once. */
  chunk?: number;
}

const PARALLEL = 4;
/** How many repositories a mount is tried from at most: a token names each. */
const MOST_SOURCES = 4;

/**
 * Sends an image.
 * @param target where to; default: where its name says
 * @returns the digest by which the registry has it
 */
export async function pushImage(
  store: Store,
  source: string,
  target: string | undefined,
  options: PushOptions,
  reporter: Reporter,
): Promise<{ name: string; digest: Digest }> {
  const entry = await findEntry(store, source);
  const reference = parseReference(target ?? entry.name ?? source);
  using lease = await Lease.take(store);
  const sources = await sourcesOf(store, entry.descriptor, reference, lease);
  const endpoint = endpointsOf(reference.registry, options).find(({ mirror }) => !mirror);
  if (endpoint === undefined) throw new Error(`${reference.registry}: no place to push to`);
  const credentials =
    options.credentials ?? (await findCredentials(reference.registry, reference.repository, options.authFile));
  const all = [...new Set(sources.values())].slice(0, MOST_SOURCES);
  const client = new RepositoryClient(
    endpoint,
    reference,
    credentials,
    {
      waits: (line) => reporter.wait(line),
      warns: (line) => reporter.note(line),
      ...(options.patience ?? DEFAULT_PATIENCE),
    },
    "pull,push",
    all,
  );
  const push = new Push(store, client, sources, options, reporter);
  const { digest } = entry.descriptor;
  if (reference.digest !== null && reference.digest !== digest) {
    throw new Error(`${target ?? source}: the image to push has the digest ${digest}`);
  }
  const pushed = await push.root(entry.descriptor, reference.tag ?? digest);
  return {
    name: familiarReference(reference.digest === null ? reference : { ...reference, digest: pushed }),
    digest: pushed,
  };
}

/** For each content, another repository of the same registry that has it, as the names in the store tell. */
async function sourcesOf(
  store: Store,
  descriptor: Descriptor,
  { registry, repository }: Reference,
  lease: Lease,
): Promise<Map<Digest, string>> {
  using _ = await lockStore(store, "exclusive");
  const own = reachableFrom(store, descriptor);
  lease.protectLocked(own);
  const sources = new Map<Digest, string>();
  for (const { name, descriptor: other } of listEntries(store)) {
    const reference = name === null ? null : parseReference(name);
    if (reference === null || reference.registry !== registry || reference.repository === repository) continue;
    for (const digest of reachableOrNone(store, other)) if (own.has(digest)) sources.set(digest, reference.repository);
  }
  return sources;
}

function reachableOrNone(store: Store, descriptor: Descriptor): Set<Digest> {
  try {
    return reachableFrom(store, descriptor);
  } catch {
    return new Set(); // damaged: it is another image's matter
  }
}

class Push {
  /** What the registry calls manifests and indexes, by what they were sent as. */
  readonly #sent = new Map<string, Digest>();

  constructor(
    readonly store: Store,
    readonly client: RepositoryClient,
    readonly sources: ReadonlyMap<Digest, string>,
    readonly options: PushOptions,
    readonly reporter: Reporter,
  ) {}

  /**
   * Blobs, then what is referred to, then what refers to it. Each once: an index may name another many times over.
   * @returns what the registry calls it
   */
  async root(descriptor: Descriptor, at: string | Digest): Promise<Digest> {
    const before = this.#sent.get(at);
    if (before !== undefined) return before;
    const bytes = await readBlob(this.store, descriptor);
    const root = parseRoot(bytes, descriptor.mediaType, descriptor.digest);
    if (root.kind === "index") {
      for (const child of root.document.manifests) {
        // What nobody here knows was not fetched either. The registry may have it; else it says so.
        if (!isRootType(child.mediaType) || !isDigest(child.digest)) continue;
        if (!hasBlob(this.store, child)) throw new MissingBlobError(child.digest);
        await this.root(child, child.digest);
      }
    } else {
      const { config, layers } = root.document;
      const own = layers.filter(({ mediaType }) => layerKind(mediaType)?.foreign !== true);
      const different = [...new Map([...own, config].map((blob) => [blob.digest, blob])).values()];
      await inParallel(different, this.options.parallel ?? PARALLEL, (blob) => this.#blob(blob));
    }
    const own = { ...descriptor, mediaType: root.mediaType };
    const { digest, knowsSubject } = await pushRoot(this.client, at, root.mediaType, bytes);
    this.#sent.set(at, digest);
    const { subject } = root.document;
    if (subject && !knowsSubject) await listReferrer(this.client, subject.digest, { ...own, digest }, root);
    return digest;
  }

  async #blob(descriptor: Descriptor): Promise<void> {
    const task = this.reporter.task(shortDigest(descriptor.digest), descriptor.size);
    const source = this.sources.get(descriptor.digest);
    const result = await pushBlob(this.client, descriptor, {
      sources: source === undefined ? [] : [source],
      chunk: this.options.chunk ?? null,
      read: (offset, length) => readRange(this.store, descriptor, offset, length),
      progress: (bytes) => task.update(bytes),
    });
    task.done({ held: "already there", mounted: `mounted from ${source}`, uploaded: undefined }[result]);
  }
}
