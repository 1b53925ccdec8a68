/** `image pull`: from a registry into the store. */
import type { Reporter } from "../progress/reporter.ts";
import {
  familiarReference,
  formatReference,
  parseReference,
  type Reference,
  repositoryName,
} from "../reference/reference.ts";
import { RepositoryClient } from "../registry/client.ts";
import { type Credentials, findCredentials } from "../registry/credentials.ts";
import { type EndpointOptions, endpointsOf } from "../registry/endpoints.ts";
import { type FetchedRoot, fetchBlob, fetchRoot } from "../registry/read.ts";
import { DEFAULT_PATIENCE, type Patience } from "../registry/retry.ts";
import { readBlob } from "../store/blobs.ts";
import { discardDamaged } from "../store/damaged.ts";
import { type Digest, shortDigest } from "../store/digest.ts";
import type { Descriptor, Index, Manifest, Platform } from "../store/documents.ts";
import { ANNOTATION, putImage } from "../store/images.ts";
import { ingest, WrongContentError } from "../store/ingest.ts";
import { Lease } from "../store/lease.ts";
import { isConfigType, isIndexType, isManifestType } from "../store/media-types.ts";
import { LARGEST_DOCUMENT, parseImageConfig } from "../store/parse-documents.ts";
import { choosePlatform, fitness, formatPlatform, hostPlatform } from "../store/platform.ts";
import { putDocument } from "../store/put-document.ts";
import { layersOf, NoSuchPlatformError } from "../store/resolve.ts";
import type { Store } from "../store/store.ts";
import { inParallel } from "./in-parallel.ts";

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
  const reference = parseReference(text);
  using lease = await Lease.take(store);
  const { client, fetched } = await fetchFirst(reference, options, reporter);
  const pull = new Pull(store, lease, client, options, reporter, familiarReference(reference));
  const descriptor = await pull.root(fetched);
  // A tag beside a digest was not looked at: it may mean something else by now.
  const name = formatReference(reference.digest === null ? reference : { ...reference, tag: null });
  await putImage(store, name, descriptor);
  return { name, digest: fetched.descriptor.digest, upToDate: !pull.hasWritten };
}

/** Asks the mirrors, then the registry. */
async function fetchFirst(
  reference: Reference,
  options: PullOptions,
  reporter: Reporter,
): Promise<{ client: RepositoryClient; fetched: FetchedRoot }> {
  const endpoints = endpointsOf(reference.registry, options);
  const own =
    options.credentials ?? (await findCredentials(reference.registry, reference.repository, options.authFile));
  for (const endpoint of endpoints) {
    const credentials = endpoint.mirror
      ? await findCredentials(endpoint.base.host, reference.repository, options.authFile)
      : own;
    // A mirror that does not answer is not waited for.
    const patience = options.patience ?? DEFAULT_PATIENCE;
    const client = new RepositoryClient(
      endpoint,
      reference,
      credentials,
      endpoint.mirror ? { ...patience, retries: 0 } : patience,
      "pull",
    );
    try {
      return { client, fetched: await fetchRoot(client, reference.digest ?? (reference.tag as string)) };
    } catch (error) {
      if (!endpoint.mirror) throw error;
      reporter.note(`mirror ${endpoint.base.host} is passed over: ${(error as Error).message}`);
    }
  }
  throw new Error(`${repositoryName(reference)}: no place to pull from`);
}

class Pull {
  /** Whether anything was not there before. */
  hasWritten = false;

  constructor(
    readonly store: Store,
    readonly lease: Lease,
    readonly client: RepositoryClient,
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
    const wanted = this.options.platform ?? hostPlatform();
    let document = index;
    for (let depth = 0; depth < 4; depth++) {
      const next = choosePlatform(document.manifests, wanted);
      if (next === null) throw new NoSuchPlatformError(this.label, wanted, document.manifests);
      const fetched = await fetchRoot(this.client, next.digest, next);
      if (fetched.root.kind === "manifest") {
        await this.#manifest(fetched, fetched.root.document, next.platform ? undefined : wanted);
        return { ...fetched.descriptor, ...(next.platform ? { platform: next.platform } : {}) };
      }
      document = fetched.root.document;
    }
    throw new Error(`${this.label}: too many indexes are in each other`);
  }

  async #index(fetched: FetchedRoot, { manifests }: Index, depth: number): Promise<void> {
    if (depth > 4) throw new Error(`${this.label}: too many indexes are in each other`);
    for (const child of manifests) {
      if (!isManifestType(child.mediaType) && !isIndexType(child.mediaType)) continue;
      const one = await fetchRoot(this.client, child.digest, child);
      if (one.root.kind === "index") await this.#index(one, one.root.document, depth + 1);
      else await this.#manifest(one, one.root.document, undefined);
    }
    await this.#put(fetched);
  }

  async #put({ descriptor, bytes }: FetchedRoot): Promise<void> {
    await this.lease.protect([descriptor.digest]);
    await discardDamaged(this.store, descriptor);
    await putDocument(this.lease, descriptor.mediaType, bytes);
  }

  /** @param wanted what the config has to be for */
  async #manifest(fetched: FetchedRoot, manifest: Manifest, wanted: Platform | undefined): Promise<void> {
    const { config, layers } = manifest;
    await this.lease.protect([fetched.descriptor.digest, config.digest, ...layers.map(({ digest }) => digest)]);
    if (isConfigType(config.mediaType)) await this.#config(config, manifest, wanted);
    else if (!this.options.all)
      throw new Error(`${this.label}: is no image but an artifact: its config is of type ${config.mediaType}`);
    else await this.#blob(config);
    const different = [...new Map(layers.map((layer) => [layer.digest, layer])).values()];
    await inParallel(different, this.options.parallel ?? PARALLEL, (layer) => this.#blob(layer));
    await this.#put(fetched);
  }

  async #config(config: Descriptor, manifest: Manifest, wanted: Platform | undefined): Promise<void> {
    if (config.size > LARGEST_DOCUMENT)
      throw new WrongContentError(
        `${this.label}: its config has ${config.size} bytes, more than the ${LARGEST_DOCUMENT} that are read`,
      );
    await this.#blob(config, `config ${shortDigest(config.digest)}`);
    const parsed = parseImageConfig(await readBlob(this.store, config), `config of ${this.label}`);
    if (wanted !== undefined && fitness(parsed, wanted) === null) {
      throw new Error(`${this.label}: is for ${formatPlatform(parsed)}, not for ${formatPlatform(wanted)}`);
    }
    // What could not be unpacked is told before it is fetched.
    if (!this.options.all) layersOf(manifest, parsed, this.label);
  }

  async #blob(descriptor: Descriptor, label: string = shortDigest(descriptor.digest)): Promise<void> {
    const task = this.reporter.task(label, descriptor.size);
    await this.lease.protect([descriptor.digest]);
    await discardDamaged(this.store, descriptor);
    const result = await ingest(this.lease, descriptor, (offset) => fetchBlob(this.client, descriptor, offset), {
      progress: (bytes) => task.update(bytes),
      waiting: () => task.say("another process fetches it"),
    });
    if (result === "written") this.hasWritten = true;
    task.done(result === "held" ? "already there" : undefined);
  }
}
