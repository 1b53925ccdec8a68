/** `image load`: archives and directories of images into the store. */
import { isArchiveManifest, isIndex, isLayoutFile } from "../../config/generated/image.js";
import { basename } from "../../sys/path-names.ts";
import type { ArchiveLimits } from "../archive/decompress.ts";
import { DirectoryMembers } from "../archive/directory-members.ts";
import { findInput } from "../archive/input.ts";
import type { Members } from "../archive/members.ts";
import { TarMembers } from "../archive/tar-members.ts";
import { DEFAULT_LIMITS } from "../layer/limits.ts";
import type { Reporter } from "../progress/reporter.ts";
import { parseName } from "../reference/reference.ts";
import { readBlob } from "../store/blobs.ts";
import { collectLocked, UnknownContentError } from "../store/collect.ts";
import { type Digest, shortDigest, splitDigest } from "../store/digest.ts";
import type { ArchiveManifest, Descriptor, Index, LayoutFile, Manifest, Platform } from "../store/documents.ts";
import { ANNOTATION, putImage } from "../store/images.ts";
import { Lease } from "../store/lease.ts";
import { isConfigType, isRootType } from "../store/media-types.ts";
import { parseDocument, parseImageConfig, parseRoot } from "../store/parse-documents.ts";
import { choosePlatform, hostPlatform } from "../store/platform.ts";
import { putDocument } from "../store/put-document.ts";
import { layersOf, NoSuchPlatformError } from "../store/resolve.ts";
import { lockStore, type Store } from "../store/store.ts";
import { type Found, loadDockerArchive } from "./load-docker-archive.ts";

export interface LoadOptions {
  /** Which of an index's images; default: this machine's. */
  platform?: Platform;
  /** All that an index has. */
  all?: boolean;
  /** The name that the image shall have, in the place of those it comes with. There must be one image then. */
  name?: string;
  /** Of a whole archive, which may be compressed. */
  limits?: ArchiveLimits;
}

/** An image that was loaded. */
export interface Loaded {
  /** In full; `null` for one that came without a name. */
  name: string | null;
  digest: Digest;
}

/**
 * Loads all images of an archive or a directory: an OCI layout, either as an archive, what `docker save` writes and wrote, and skopeo's `dir:`.
 * @param path `-` for stdin
 * @throws {Error} one line; no image has been given a name then
 */
export async function loadImages(
  store: Store,
  path: string,
  options: LoadOptions,
  reporter: Reporter,
): Promise<Loaded[]> {
  const name = options.name === undefined ? undefined : parseName(options.name);
  using lease = await Lease.take(store);
  try {
    const members = await openMembers(store, lease, path, options.limits ?? DEFAULT_LIMITS, reporter);
    const loader = new Loader(store, lease, members, options, reporter);
    const images = await loader.load();
    if (options.name !== undefined && images.length !== 1)
      throw new Error(`${members.label}: has ${images.length} images, and --name is for one`);
    const loaded: Loaded[] = [];
    for (const image of images) {
      for (const one of name === undefined ? image.names : [name]) {
        await putImage(store, one, image.descriptor);
        loaded.push({ name: one, digest: image.descriptor.digest });
      }
    }
    return loaded;
  } finally {
    await removeUnused(store, lease);
  }
}

async function openMembers(
  store: Store,
  lease: Lease,
  path: string,
  limits: ArchiveLimits,
  reporter: Reporter,
): Promise<Members> {
  const input = findInput(path);
  if (input.kind === "directory") return new DirectoryMembers(input.path);
  if (path === "-" && process.stdin.isTTY)
    throw new Error("stdin is a terminal: name a file, or give an archive on stdin");
  const { label, size } = input;
  const task = reporter.task(basename(label), size);
  const source = input.open();
  async function* counted(): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for await (const chunk of source) {
      bytes += chunk.byteLength;
      task.update(bytes);
      yield chunk;
    }
  }
  const members = await TarMembers.read(lease, label, counted(), limits);
  members.readLarge = (stored) => readBlob(store, stored);
  task.done();
  return members;
}

/** Members went into the store before anybody knew what they were for; and of an archive that is wrong nothing shall stay. */
async function removeUnused(store: Store, lease: Lease): Promise<void> {
  lease[Symbol.dispose]();
  using _ = await lockStore(store, "exclusive");
  try {
    collectLocked(store, { only: lease.held });
  } catch (error) {
    // Another image is damaged, and nobody knows what it has: prune will tell.
    if (!(error instanceof UnknownContentError)) throw error;
  }
}

class Loader {
  /** What indexes have named so far. */
  readonly #taken = new Set<Digest>();

  constructor(
    readonly store: Store,
    readonly lease: Lease,
    readonly members: Members,
    readonly options: LoadOptions,
    readonly reporter: Reporter,
  ) {}

  async load(): Promise<Found[]> {
    const { label } = this.members;
    const index = await this.members.document("index.json");
    if (index !== null) return await this.#layout(parseDocument<Index>(index, isIndex, `${label}: index.json`));
    const manifest = await this.members.document("manifest.json");
    if (manifest === null) {
      const old = (await this.members.document("repositories")) !== null;
      throw new Error(
        `${label}: has neither an index.json nor a manifest.json${old ? ": it is an archive of Docker before 1.10, which is not read" : ": it holds no images"}`,
      );
    }
    if (manifest.find((byte) => byte > 0x20) === 0x5b)
      return await loadDockerArchive(
        this,
        parseDocument<ArchiveManifest>(manifest, isArchiveManifest, `${label}: manifest.json`),
      );
    return [await this.#directory(manifest)];
  }

  async #layout({ manifests }: Index): Promise<Found[]> {
    const { label } = this.members;
    const marker = await this.members.document("oci-layout");
    if (marker === null) throw new Error(`${label}: has an index.json and no oci-layout: it is no OCI layout`);
    parseDocument<LayoutFile>(marker, isLayoutFile, `${label}: oci-layout`);
    if (manifests.length === 0) throw new Error(`${label}: its index.json names no image`);
    const found = new Map<Digest, Found>();
    for (const entry of manifests) {
      if (!isRootType(entry.mediaType)) continue;
      const name = this.#nameOf(entry);
      const before = found.get(entry.digest);
      // Several tags of an image are several entries of one digest.
      if (before !== undefined) before.names.push(name);
      else found.set(entry.digest, { descriptor: await this.#root(entry, name ?? entry.digest), names: [name] });
    }
    if (found.size === 0) throw new Error(`${label}: its index.json names no image`);
    return [...found.values()];
  }

  /** containerd's name, or the spec's, which may be a tag alone. */
  #nameOf({ annotations }: Descriptor): string | null {
    const given = annotations?.[ANNOTATION.containerdName] ?? annotations?.[ANNOTATION.name];
    if (given === undefined) return null;
    const isTag = !/[/:]/.test(given);
    const own = basename(this.members.label)
      .replace(/\.(tar|oci|tgz)(\.(gz|zst))?$/, "")
      .toLowerCase();
    const full = isTag ? `localhost/${own}:${given}` : given;
    try {
      return parseName(full);
    } catch {
      this.reporter.note(
        `${this.members.label}: ${JSON.stringify(given)} is no name for an image: it is loaded without one`,
      );
      return null;
    }
  }

  async #root(entry: Descriptor, label: string): Promise<Descriptor> {
    const bytes = await this.#document(entry);
    const root = parseRoot(bytes, entry.mediaType, `${this.members.label}: manifest ${entry.digest}`);
    const { digest, size, platform } = entry;
    const own: Descriptor = { mediaType: root.mediaType, digest, size, ...(platform ? { platform } : {}) };
    if (root.kind === "manifest") {
      await this.#manifest(root.document, label);
      return own;
    }
    if (this.options.all) {
      for (const child of root.document.manifests) {
        if (!isRootType(child.mediaType)) continue;
        // An index may name another many times over.
        if (this.#taken.has(child.digest)) continue;
        this.#taken.add(child.digest);
        await this.#root(child, label);
      }
      return own;
    }
    const wanted = this.options.platform ?? hostPlatform();
    const chosen = choosePlatform(root.document.manifests, wanted);
    if (chosen === null) throw new NoSuchPlatformError(label, wanted, root.document.manifests);
    return { ...(await this.#root(chosen, label)), annotations: { [ANNOTATION.chosenFrom]: digest } };
  }

  async #document({ digest, size }: Descriptor): Promise<Uint8Array> {
    const name = blobName(digest);
    const stored = await this.members.store(this.lease, name, { digest, size });
    if (stored === null) throw new Error(`${this.members.label}: ${name}: is missing`);
    return await readBlob(this.store, stored);
  }

  async #manifest({ config, layers }: Manifest, label: string): Promise<void> {
    const parsed = await this.#document(config);
    if (isConfigType(config.mediaType))
      layersOf({ schemaVersion: 2, config, layers }, parseImageConfig(parsed, `config of ${label}`), label);
    else if (!this.options.all)
      throw new Error(`${label}: is no image but an artifact: its config is of type ${config.mediaType}`);
    for (const { digest, size } of layers) {
      const task = this.reporter.task(shortDigest(digest), size);
      if ((await this.members.store(this.lease, blobName(digest), { digest, size })) === null)
        throw new Error(`${this.members.label}: ${blobName(digest)}: is missing`);
      task.done();
    }
  }

  /** skopeo's `dir:`: the manifest, and contents by their hexadecimal digits. */
  async #directory(bytes: Uint8Array): Promise<Found> {
    const { label } = this.members;
    const root = parseRoot(bytes, undefined, `${label}/manifest.json`);
    if (root.kind !== "manifest")
      throw new Error(`${label}/manifest.json: is an index: of a dir: one image can be loaded`);
    const { config, layers } = root.document;
    for (const { digest, size } of [config, ...layers]) {
      const task = this.reporter.task(shortDigest(digest), size);
      const { hex } = splitDigest(digest);
      if ((await this.members.store(this.lease, hex, { digest, size })) === null)
        throw new Error(`${label}/${hex}: is missing`);
      task.done();
    }
    layersOf(root.document, parseImageConfig(await readBlob(this.store, config), `config of ${label}`), label);
    return { descriptor: await putDocument(this.lease, root.mediaType, bytes), names: [null] };
  }
}

function blobName(digest: Digest): string {
  const { algorithm, hex } = splitDigest(digest);
  return `blobs/${algorithm}/${hex}`;
}
