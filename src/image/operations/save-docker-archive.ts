/** What `docker save` wrote before version 25: plain layers, configurations, and a `manifest.json` that names them. */
import { Readable } from "node:stream";
import type { Pack } from "tar-stream";
import { inflated } from "../archive/decompress.ts";
import { addDocument, addMember } from "../archive/write.ts";
import { compressionOf } from "../layer/compression.ts";
import type { Reporter } from "../progress/reporter.ts";
import { familiarReference, isDigestName, parseReference } from "../reference/reference.ts";
import { readBlob, streamBlob } from "../store/blobs.ts";
import { type Digest, Digester, shortDigest, splitDigest } from "../store/digest.ts";
import type { ArchiveManifest, Descriptor } from "../store/documents.ts";
import type { Entry } from "../store/images.ts";
import { type Image, readImage } from "../store/resolve.ts";
import type { Store } from "../store/store.ts";

/** Docker's list: one item an image, with all its tags. @param config, layer what their members are called */
export function archiveManifest(
  images: readonly Image[],
  config: (digest: Digest) => string,
  layer: (blob: Digest, diffId: Digest) => string,
): ArchiveManifest {
  const items = new Map<Digest, ArchiveManifest[number]>();
  for (const { name, descriptor, configDigest, layers } of images) {
    const item = items.get(descriptor.digest) ?? {
      Config: config(configDigest),
      RepoTags: [],
      Layers: layers.map(({ descriptor: { digest }, diffId }) => layer(digest, diffId)),
    };
    if (name !== null && !isDigestName(name)) item.RepoTags?.push(familiarReference(parseReference(name)));
    items.set(descriptor.digest, item);
  }
  return [...items.values()];
}

/** Layers and configurations, each once, and what they belong to last. */
export async function writeDockerArchive(
  store: Store,
  archive: Pack,
  entries: readonly Entry[],
  reporter: Reporter,
): Promise<void> {
  const images: Image[] = [];
  for (const entry of entries) images.push(await readImage(store, entry));
  const written = new Set<Digest>();
  for (const { manifest, layers } of images) {
    for (const { descriptor, diffId } of layers) {
      if (written.has(diffId)) continue;
      written.add(diffId);
      await plainLayer(store, archive, descriptor, diffId, reporter);
    }
    const { config } = manifest;
    if (written.has(config.digest)) continue;
    written.add(config.digest);
    await addMember(
      archive,
      `${splitDigest(config.digest).hex}.json`,
      config.size,
      Readable.from([await readBlob(store, config)]),
    );
  }
  const plain = (digest: Digest) => splitDigest(digest).hex;
  await addDocument(
    archive,
    "manifest.json",
    archiveManifest(
      images,
      (digest) => `${plain(digest)}.json`,
      (_, diffId) => `${plain(diffId)}.tar`,
    ),
  );
}

/** A member's size stands before it, so a compressed layer is decompressed twice: for its size and its digest, then for the archive. */
async function plainLayer(
  store: Store,
  archive: Pack,
  descriptor: Descriptor,
  diffId: Digest,
  reporter: Reporter,
): Promise<void> {
  const task = reporter.task(shortDigest(descriptor.digest), null);
  const digester = new Digester(splitDigest(diffId).algorithm);
  for await (const chunk of await decompressedBlob(store, descriptor)) digester.update(chunk);
  const { size } = digester;
  const digest = digester.digest();
  if (digest !== diffId)
    throw new Error(
      `layer ${descriptor.digest}: decompressed it has the digest ${digest}, and the config says ${diffId}`,
    );
  async function* counted(): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for await (const chunk of await decompressedBlob(store, descriptor)) {
      bytes += chunk.byteLength;
      task.update(bytes);
      yield chunk;
    }
  }
  await addMember(archive, `${splitDigest(diffId).hex}.tar`, size, counted());
  task.done();
}

async function decompressedBlob(store: Store, descriptor: Descriptor): Promise<AsyncIterable<Uint8Array>> {
  const content = streamBlob(store, descriptor);
  const first = await content.next();
  if (first.done) return Readable.from([]);
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield first.value as Uint8Array;
    yield* content;
  }
  const compression = compressionOf(first.value);
  return compression === "none" ? whole() : inflated(whole(), compression);
}
