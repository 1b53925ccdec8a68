/** An OCI layout: what its index names, each by its digest. @see image-spec, image-layout.md */
import { isLayoutFile } from "../../config/generated/image.js";
import { basename } from "../../sys/path-names.ts";
import { parseName } from "../reference/reference.ts";
import { hasBlob, readBlob } from "../store/blobs.ts";
import { candidatesFor, chooseImage, NoSuchPlatformError } from "../store/choose.ts";
import { type Digest, isDigest, shortDigest, splitDigest } from "../store/digest.ts";
import type { Descriptor, Index, LayoutFile, Manifest, Platform } from "../store/documents.ts";
import { ANNOTATION } from "../store/images.ts";
import { isRootType } from "../store/media-types.ts";
import { parseDocument, parseImageConfig, parseRoot, type Root } from "../store/parse-documents.ts";
import { machinePlatform } from "../store/platform.ts";
import { checkConfig, type Found, type Loading, NoImageError, refuseArtifact } from "./loading.ts";

/** Takes its images in. @param index its `index.json` @throws {Error} one line */
export async function loadLayout(loading: Loading, index: Index): Promise<Found[]> {
  return await new LayoutLoader(loading).load(index);
}

class LayoutLoader {
  /** What indexes have named so far. */
  readonly #taken = new Set<Digest>();

  constructor(readonly loading: Loading) {}

  async load({ manifests }: Index): Promise<Found[]> {
    const { label } = this.loading.members;
    const marker = await this.loading.members.document("oci-layout");
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
    for (const { message } of passedOver) this.loading.reporter.note(`${message}: passed over`);
    return [...found.values()];
  }

  /** Of several images of one name, each for its own platform, the name is that of the one that is wanted, and the others are for others. */
  #named(manifests: readonly Descriptor[]): { entry: Descriptor; name: string | null }[] {
    const all = manifests
      .filter(({ mediaType }) => isRootType(mediaType))
      .map((entry) => ({ entry, name: this.#nameOf(entry) }));
    const wanted = this.loading.options.platform ?? machinePlatform();
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
      return this.loading.options.all ? [{ entry, name: null }] : [];
    });
  }

  /** containerd's name, or the spec's, which may be a tag alone. */
  #nameOf({ annotations }: Descriptor): string | null {
    const given = annotations?.[ANNOTATION.containerdName] ?? annotations?.[ANNOTATION.name];
    if (given === undefined) return null;
    const isTag = !/[/:]/.test(given);
    const own = basename(this.loading.members.label)
      .replace(/\.(tar|oci|tgz)(\.(gz|zst))?$/, "")
      .toLowerCase();
    const full = isTag ? `localhost/${own}:${given}` : given;
    try {
      return parseName(full);
    } catch {
      this.loading.reporter.note(
        `${this.loading.members.label}: ${JSON.stringify(given)} is no name for an image: it is loaded without one`,
      );
      return null;
    }
  }

  async #root(entry: Descriptor, label: string): Promise<Descriptor> {
    if (!isDigest(entry.digest)) throw new NoImageError(`${label}: the digest ${entry.digest} cannot be verified`);
    const root = await this.#read(entry);
    const own = withoutExtras(entry);
    if (root.kind === "manifest") {
      await this.#manifest(root.document, label, this.loading.options.all ? undefined : this.loading.options.platform);
      return own;
    }
    if (this.loading.options.all) {
      for (const child of root.document.manifests) {
        if (!isRootType(child.mediaType)) continue;
        // An index may name another many times over.
        if (this.#taken.has(child.digest)) continue;
        this.#taken.add(child.digest);
        if (await this.#has(child)) await this.#root(child, label);
        else
          this.loading.reporter.note(
            `${label}: ${blobName(child.digest)} of its index is missing: it is loaded without that`,
          );
      }
      return own;
    }
    const wanted = this.loading.options.platform ?? machinePlatform();
    const source = {
      read: async (one: Descriptor) => ({ root: await this.#read(one) }),
      config: async ({ config }: Manifest) => parseImageConfig(await this.#document(config), `config of ${label}`),
    };
    const { descriptor, manifest } = await chooseImage(root.document, wanted, source, label);
    await this.#manifest(manifest, label);
    return { ...withoutExtras(descriptor), annotations: { [ANNOTATION.chosenFrom]: entry.digest } };
  }

  async #read(entry: Descriptor): Promise<Root> {
    const name = `${this.loading.members.label}: manifest ${entry.digest}`;
    return parseRoot(await this.#document(entry), entry.mediaType, name);
  }

  async #document(descriptor: Descriptor): Promise<Uint8Array> {
    await this.#content(descriptor);
    return await readBlob(this.loading.store, descriptor);
  }

  /** Takes content in. What a layout lacks may be in the store already. @see image-spec, image-layout.md, "Blobs" */
  async #content(descriptor: Descriptor): Promise<void> {
    if (!(await this.#has(descriptor)))
      throw new Error(`${this.loading.members.label}: ${blobName(descriptor.digest)}: is missing`);
  }

  async #has({ digest, size }: Descriptor): Promise<boolean> {
    if (!isDigest(digest)) return false;
    await this.loading.lease.protect([digest]);
    const stored = await this.loading.members.store(this.loading.lease, blobName(digest), { digest, size });
    return stored !== null || hasBlob(this.loading.store, { digest, size });
  }

  async #manifest(manifest: Manifest, label: string, wanted?: Platform): Promise<void> {
    const { config, layers } = manifest;
    refuseArtifact(this.loading, manifest, label);
    for (const one of [config, ...layers]) {
      const task = this.loading.reporter.task(shortDigest(one.digest), one.size);
      await this.#content(one);
      task.done();
      if (one === config) await checkConfig(this.loading, manifest, label, wanted);
    }
  }
}

function withoutExtras({ mediaType, digest, size, platform }: Descriptor): Descriptor {
  return { mediaType, digest, size, ...(platform ? { platform } : {}) };
}

function blobName(digest: Digest): string {
  const { algorithm, hex } = splitDigest(digest);
  return `blobs/${algorithm}/${hex}`;
}
