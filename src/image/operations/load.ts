/** `image load`: archives and directories of images into the store. */
import { isArchiveManifest, isLayoutFile } from "../../config/generated/image.js";
import { basename } from "../../sys/path-names.ts";
import type { ArchiveLimits } from "../archive/decompress.ts";
import { DirectoryMembers } from "../archive/directory-members.ts";
import { findInput } from "../archive/input.ts";
import type { Members } from "../archive/members.ts";
import { TarMembers } from "../archive/tar-members.ts";
import { DEFAULT_LIMITS } from "../layer/limits.ts";
import type { Reporter } from "../progress/reporter.ts";
import { parseName } from "../reference/reference.ts";
import { hasBlob, readBlob } from "../store/blobs.ts";
import { candidatesFor, chooseImage, NoSuchPlatformError } from "../store/choose.ts";
import { collectLocked, UnknownContentError } from "../store/collect.ts";
import { type Digest, isDigest, shortDigest, splitDigest } from "../store/digest.ts";
import type { ArchiveManifest, Descriptor, Index, LayoutFile, Manifest, Platform } from "../store/documents.ts";
import { ANNOTATION, putImage } from "../store/images.ts";
import { Lease } from "../store/lease.ts";
import { isRootType, whyNoImage } from "../store/media-types.ts";
import { parseDocument, parseImageConfig, parseLayoutIndex, parseRoot, type Root } from "../store/parse-documents.ts";
import { machinePlatform, refuseForeign } from "../store/platform.ts";
import { putDocument } from "../store/put-document.ts";
import { layersOf } from "../store/resolve.ts";
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

/** What is listed like an image, and is for other programs. */
class NoImageError extends Error {}

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
    if (index !== null) return await this.#layout(parseLayoutIndex(index, `${label}: index.json`));
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
    const found = new Map<Digest, Found>();
    const passedOver: Error[] = [];
    for (const { entry, name } of this.#named(manifests)) {
      const before = found.get(entry.digest);
      // Several tags of an image are several entries of one digest.
      if (before !== undefined) {
        before.names.push(name);
        continue;
      }
      try {
        found.set(entry.digest, { descriptor: await this.#root(entry, name ?? entry.digest), names: [name] });
      } catch (error) {
        // What is beside the images, such as their signatures, is for others.
        if (!(error instanceof NoImageError)) throw error;
        passedOver.push(error);
      }
    }
    if (found.size === 0) throw passedOver[0] ?? new Error(`${label}: its index.json names no image`);
    for (const { message } of passedOver) this.reporter.note(`${message}: passed over`);
    return [...found.values()];
  }

  /** Of several images of one name, each for its own platform, the name is that of the one that is wanted, and the others are for others. */
  #named(manifests: readonly Descriptor[]): { entry: Descriptor; name: string | null }[] {
    const all = manifests
      .filter(({ mediaType }) => isRootType(mediaType))
      .map((entry) => ({ entry, name: this.#nameOf(entry) }));
    const wanted = this.options.platform ?? machinePlatform();
    const owners = new Map<string | null, Digest>();
    for (const [name, group] of Map.groupBy(all, ({ name }) => name)) {
      const same = group.map(({ entry }) => entry);
      if (name === null || same.length < 2 || !same.every(({ platform }) => platform)) continue;
      const [best] = candidatesFor(same, wanted);
      if (best === undefined)
        throw new NoSuchPlatformError(
          name,
          wanted,
          same.map(({ platform }) => platform),
        );
      owners.set(name, best.digest);
    }
    return all.flatMap(({ entry, name }) => {
      if ((owners.get(name) ?? entry.digest) === entry.digest) return [{ entry, name }];
      return this.options.all ? [{ entry, name: null }] : [];
    });
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
    if (!isDigest(entry.digest)) throw new NoImageError(`${label}: the digest ${entry.digest} cannot be verified`);
    const root = await this.#read(entry);
    const own = withoutExtras(entry);
    if (root.kind === "manifest") {
      await this.#manifest(root.document, label, this.options.all ? undefined : this.options.platform);
      return own;
    }
    if (this.options.all) {
      for (const child of root.document.manifests) {
        if (!isRootType(child.mediaType)) continue;
        // An index may name another many times over.
        if (this.#taken.has(child.digest)) continue;
        this.#taken.add(child.digest);
        if (await this.#has(child)) await this.#root(child, label);
        else
          this.reporter.note(`${label}: ${blobName(child.digest)} of its index is missing: it is loaded without that`);
      }
      return own;
    }
    const wanted = this.options.platform ?? machinePlatform();
    const source = {
      read: async (one: Descriptor) => ({ root: await this.#read(one) }),
      config: async ({ config }: Manifest) => parseImageConfig(await this.#document(config), `config of ${label}`),
    };
    const { descriptor, manifest } = await chooseImage(root.document, wanted, source, label);
    await this.#manifest(manifest, label);
    return { ...withoutExtras(descriptor), annotations: { [ANNOTATION.chosenFrom]: entry.digest } };
  }

  async #read(entry: Descriptor): Promise<Root> {
    const name = `${this.members.label}: manifest ${entry.digest}`;
    return parseRoot(await this.#document(entry), entry.mediaType, name);
  }

  async #document(descriptor: Descriptor): Promise<Uint8Array> {
    await this.#content(descriptor);
    return await readBlob(this.store, descriptor);
  }

  /** Takes content in. What a layout lacks may be in the store already. @see image-spec, image-layout.md, "Blobs" */
  async #content(descriptor: Descriptor): Promise<void> {
    if (!(await this.#has(descriptor)))
      throw new Error(`${this.members.label}: ${blobName(descriptor.digest)}: is missing`);
  }

  async #has({ digest, size }: Descriptor): Promise<boolean> {
    if (!isDigest(digest)) return false;
    await this.lease.protect([digest]);
    const stored = await this.members.store(this.lease, blobName(digest), { digest, size });
    return stored !== null || hasBlob(this.store, { digest, size });
  }

  async #manifest(manifest: Manifest, label: string, wanted?: Platform): Promise<void> {
    const { config, layers } = manifest;
    this.#refuseArtifact(manifest, label);
    for (const one of [config, ...layers]) {
      const task = this.reporter.task(shortDigest(one.digest), one.size);
      await this.#content(one);
      task.done();
      if (one === config) await this.#checkConfig(manifest, label, wanted);
    }
  }

  /** What could not be unpacked is no image to load. */
  #refuseArtifact(manifest: Manifest, label: string): void {
    const why = this.options.all ? null : whyNoImage(manifest);
    if (why !== null) throw new NoImageError(`${label}: ${why} (--all keeps it as it is)`);
  }

  /** @param wanted what the config, which is in the store, has to be for */
  async #checkConfig(manifest: Manifest, label: string, wanted: Platform | undefined): Promise<void> {
    if (whyNoImage(manifest) !== null) return;
    const parsed = parseImageConfig(await readBlob(this.store, manifest.config), `config of ${label}`);
    layersOf(manifest, parsed, label);
    refuseForeign(parsed, wanted, label);
  }

  /** skopeo's `dir:`: the manifest, and contents by their hexadecimal digits. */
  async #directory(bytes: Uint8Array): Promise<Found> {
    const { label } = this.members;
    const root = parseRoot(bytes, undefined, `${label}/manifest.json`);
    if (root.kind !== "manifest")
      throw new Error(`${label}/manifest.json: is an index: of a dir: one image can be loaded`);
    const { config, layers } = root.document;
    this.#refuseArtifact(root.document, label);
    for (const { digest, size } of [config, ...layers]) {
      const task = this.reporter.task(shortDigest(digest), size);
      const { hex } = splitDigest(digest);
      if ((await this.members.store(this.lease, hex, { digest, size })) === null)
        throw new Error(`${label}/${hex}: is missing`);
      task.done();
    }
    await this.#checkConfig(root.document, label, this.options.all ? undefined : this.options.platform);
    return { descriptor: await putDocument(this.lease, root.mediaType, bytes), names: [null] };
  }
}

function withoutExtras({ mediaType, digest, size, platform }: Descriptor): Descriptor {
  return { mediaType, digest, size, ...(platform ? { platform } : {}) };
}

function blobName(digest: Digest): string {
  const { algorithm, hex } = splitDigest(digest);
  return `blobs/${algorithm}/${hex}`;
}
