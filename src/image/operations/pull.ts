/** `image pull`: from a registry into the store. */
import type { Reporter } from "../progress/reporter.ts";
import { formatBytes } from "../progress/units.ts";
import { familiarReference, formatReference, parseReference } from "../reference/reference.ts";
import type { RepositoryClient } from "../registry/client.ts";
import type { Credentials } from "../registry/credentials.ts";
import type { EndpointOptions } from "../registry/endpoints.ts";
import { type FetchedRoot, fetchBlob } from "../registry/read.ts";
import type { Patience } from "../registry/retry.ts";
import { readBlob } from "../store/blobs.ts";
import { chooseImage, DEEPEST_INDEX, type DocumentSource } from "../store/choose.ts";
import { type Digest, isDigest, shortDigest } from "../store/digest.ts";
import type { Descriptor, ImageConfig, Index, Manifest, Platform } from "../store/documents.ts";
import { ANNOTATION, putImage } from "../store/images.ts";
import { ingest, WrongContentError } from "../store/ingest.ts";
import { Lease } from "../store/lease.ts";
import { isConfigType, isRootType, whyNoImage } from "../store/media-types.ts";
import { LARGEST_DOCUMENT, parseImageConfig } from "../store/parse-documents.ts";
import { machinePlatform, refuseForeign } from "../store/platform.ts";
import { keepDocument } from "../store/put-document.ts";
import { layersOf } from "../store/resolve.ts";
import type { Store } from "../store/store.ts";
import { inParallel } from "./in-parallel.ts";
import { PullPlaces } from "./pull-places.ts";

/** How registries are spoken to. */
export interface RegistryOptions extends EndpointOptions {
  /** In the place of what files and helpers have. */
  credentials?: Credentials;
  authFile?: string;
  patience?: Patience;
  /** How many blobs at a time; default 4. */
  parallel?: number;
}

export interface PullOptions extends RegistryOptions {
  /** Default: this machine's. */
  platform?: Platform;
  /** All that an index has, attestations too. */
  all?: boolean;
}

/** What was pulled. */
export interface Pulled {
  /** The name that the image has now. */
  name: string;
  /** What the reference leads to at the registry: of an index, where there is one. */
  digest: Digest;
  /** Whether it was all there before. */
  upToDate: boolean;
}

const PARALLEL = 4;

/**
 * Fetches an image and gives it its name.
 * @throws {Error} one line
 */
export async function pullImage(store: Store, text: string, options: PullOptions, reporter: Reporter): Promise<Pulled> {
  using lease = await Lease.take(store);
  const { descriptor, ...pulled } = await fetchImage(store, text, options, reporter, lease);
  await putImage(store, pulled.name, descriptor);
  return pulled;
}

/** What was fetched, and where it begins. */
export interface Fetched extends Pulled {
  /** Of a manifest or an index, for the store's index. */
  descriptor: Descriptor;
}

/**
 * Fetches an image that is the lease's: `name` is what it would be called.
 * @throws {Error} one line
 */
export async function fetchImage(
  store: Store,
  text: string,
  options: PullOptions,
  reporter: Reporter,
  lease: Lease,
): Promise<Fetched> {
  const reference = parseReference(text);
  const places = await PullPlaces.find(reference, options, reporter);
  const fetched = await places.root(reference.digest ?? (reference.tag as string));
  const pull = new Pull(store, lease, places, options, reporter, familiarReference(reference));
  const descriptor = await pull.root(fetched);
  // A tag beside a digest was not looked at: it may mean something else by now.
  const name = formatReference(reference.digest === null ? reference : { ...reference, tag: null });
  return { name, digest: fetched.descriptor.digest, upToDate: !pull.hasWritten, descriptor };
}

class Pull {
  /** Whether anything was not there before. */
  hasWritten = false;
  /** What indexes have named so far. */
  readonly #fetched = new Set<Digest>();

  constructor(
    readonly store: Store,
    readonly lease: Lease,
    readonly places: PullPlaces,
    readonly options: PullOptions,
    readonly reporter: Reporter,
    readonly label: string,
  ) {}

  /** Fetches all that belongs to a manifest or index. @returns the descriptor for the store's index */
  async root(fetched: FetchedRoot): Promise<Descriptor> {
    if (fetched.root.kind === "manifest") {
      await this.#manifest(fetched, fetched.root.document, this.options.platform);
      return fetched.descriptor;
    }
    if (this.options.all) {
      await this.#index(fetched, fetched.root.document, 0);
      return fetched.descriptor;
    }
    const chosen = await this.#choose(fetched.root.document);
    return { ...chosen, annotations: { [ANNOTATION.chosenFrom]: fetched.descriptor.digest } };
  }

  async #choose(index: Index): Promise<Descriptor> {
    const wanted = this.options.platform ?? machinePlatform();
    const source: DocumentSource<FetchedRoot> = {
      read: (descriptor) => this.places.root(descriptor.digest, descriptor),
      config: ({ config }) => this.#fetchConfig(config),
    };
    const { descriptor, found, manifest } = await chooseImage(index, wanted, source, this.label);
    await this.#manifest(found, manifest, undefined);
    return { ...found.descriptor, ...(descriptor.platform ? { platform: descriptor.platform } : {}) };
  }

  async #index(fetched: FetchedRoot, { manifests }: Index, depth: number): Promise<void> {
    if (depth > DEEPEST_INDEX) throw new Error(`${this.label}: more than ${DEEPEST_INDEX} indexes are in each other`);
    for (const child of manifests) {
      if (!isRootType(child.mediaType)) continue;
      if (!isDigest(child.digest)) throw new Error(`${this.label}: the digest ${child.digest} cannot be verified`);
      // An index may name another many times over.
      if (this.#fetched.has(child.digest)) continue;
      this.#fetched.add(child.digest);
      const one = await this.places.root(child.digest, child);
      if (one.root.kind === "index") await this.#index(one, one.root.document, depth + 1);
      else await this.#manifest(one, one.root.document, undefined);
    }
    await this.#put(fetched);
  }

  async #put({ descriptor, bytes }: FetchedRoot): Promise<void> {
    await keepDocument(this.lease, descriptor, bytes);
  }

  /** @param wanted what the config has to be for */
  async #manifest(fetched: FetchedRoot, manifest: Manifest, wanted: Platform | undefined): Promise<void> {
    const { config, layers } = manifest;
    await this.lease.protect([fetched.descriptor.digest, config.digest, ...layers.map(({ digest }) => digest)]);
    const why = this.options.all ? null : whyNoImage(manifest);
    if (why !== null) throw new Error(`${this.label}: ${why} (--all keeps it as it is)`);
    if (isConfigType(config.mediaType)) await this.#config(config, manifest, wanted);
    else await this.#blob(config);
    const different = [...new Map(layers.map((layer) => [layer.digest, layer])).values()];
    await inParallel(different, this.options.parallel ?? PARALLEL, (layer) => this.#blob(layer));
    await this.#put(fetched);
  }

  async #config(config: Descriptor, manifest: Manifest, wanted: Platform | undefined): Promise<void> {
    const parsed = await this.#fetchConfig(config);
    refuseForeign(parsed, wanted, this.label);
    // What could not be unpacked is told before it is fetched.
    if (whyNoImage(manifest) === null) layersOf(manifest, parsed, this.label);
  }

  async #fetchConfig(config: Descriptor): Promise<ImageConfig> {
    if (config.size > LARGEST_DOCUMENT)
      throw new WrongContentError(
        `${this.label}: its config has ${config.size} bytes, more than the ${LARGEST_DOCUMENT} that are read`,
      );
    await this.#blob(config, `config ${shortDigest(config.digest)}`);
    return parseImageConfig(await readBlob(this.store, config), `config of ${this.label}`);
  }

  async #blob(descriptor: Descriptor, label: string = shortDigest(descriptor.digest)): Promise<void> {
    const task = this.reporter.task(label, descriptor.size);
    await this.lease.protect([descriptor.digest]);
    const listener = {
      progress: (bytes: number) => task.update(bytes),
      waiting: () => task.say("another process fetches it"),
      checking: (bytes: number) => task.say(checkedSoFar(bytes, descriptor.size)),
    };
    const result = await this.places.fromAny(async (client) => {
      try {
        return await ingest(this.lease, descriptor, (offset) => fetchBlob(client, descriptor, offset), listener);
      } catch (error) {
        throw withSender(error, client, descriptor);
      }
    });
    if (result === "written") this.hasWritten = true;
    task.done(result === "held" ? "already there" : undefined);
  }
}

/** The store does not know who has sent what it refuses, and with mirrors it may be any of several. */
function withSender(error: unknown, { endpoint }: RepositoryClient, { digest }: Descriptor): unknown {
  if (!(error instanceof WrongContentError) || !error.message.startsWith(`${digest}: `)) return error;
  return new WrongContentError(`${endpoint.base.host}: ${error.message}`, { cause: error });
}

/** What a person sees while a layer that is held already is read once more. */
function checkedSoFar(bytes: number, size: number): string {
  return `checking what is there  ${formatBytes(bytes)} / ${formatBytes(size)}`;
}
