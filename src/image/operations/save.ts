/** `image save`: images of the store as an archive or a directory that others load. */

import { chmodSync, createWriteStream, existsSync, lstatSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { Readable } from "node:stream";
import type { Pack } from "tar-stream";
import { dirname, join, resolve } from "../../sys/path-names.ts";
import { randomHex } from "../../sys/random.ts";
import { inflated } from "../archive/decompress.ts";
import { toStdout } from "../archive/stdout.ts";
import { addDocument, addMember, packInto } from "../archive/write.ts";
import { compressionOf } from "../layer/compression.ts";
import type { Reporter } from "../progress/reporter.ts";
import { familiarReference, formatReference, parseReference } from "../reference/reference.ts";
import { blobPath, hasBlob, openBlob, readBlob, streamBlob } from "../store/blobs.ts";
import { reachableFrom } from "../store/collect.ts";
import { whyUnusable } from "../store/damaged.ts";
import { type Digest, Digester, shortDigest, splitDigest } from "../store/digest.ts";
import type { ArchiveManifest, Descriptor, Index, Platform } from "../store/documents.ts";
import { documentsBelow } from "../store/documents-below.ts";
import { ANNOTATION, type Entry } from "../store/images.ts";
import { Lease } from "../store/lease.ts";
import { isIndexType, layerKind, MEDIA_TYPE, whyNoImage } from "../store/media-types.ts";
import { parseRoot } from "../store/parse-documents.ts";
import { findEntry, type Image, readImage } from "../store/resolve.ts";
import { lockStore, replaceFile, type Store } from "../store/store.ts";

/**
 * `oci-archive`: an OCI layout, with Docker's manifest.json beside, so that every Docker loads it, too. `docker-archive`: what Docker wrote before
 * version 25, its layers plain. `oci-dir`: a directory with an OCI layout.
 */
export type SaveFormat = "oci-archive" | "docker-archive" | "oci-dir";

export interface SaveOptions {
  format: SaveFormat;
  /** `-` for stdout. */
  output: string;
}

/**
 * Writes images.
 * @throws {Error} one line; a file that was to be written is not there then, or is what it was before
 */
export async function saveImages(
  store: Store,
  references: readonly string[],
  options: SaveOptions,
  reporter: Reporter,
): Promise<void> {
  const { format, output } = options;
  if (output === "-" && format === "oci-dir") throw new Error("a directory cannot be written to stdout: use --output");
  if (output === "-" && process.stdout.isTTY)
    throw new Error("stdout is a terminal: use --output, or send it into a file or a pipe");
  using lease = await Lease.take(store);
  const found = await Promise.all(references.map((reference) => named(store, reference)));
  const digests = await protectAll(store, lease, found);
  for (const { name, descriptor } of found) await requireWhole(store, descriptor, name ?? descriptor.digest);
  const entries = await Promise.all(found.map((entry) => withPlatform(store, entry)));
  if (format === "oci-dir") return await saveDirectory(store, entries, digests, resolve(output), reporter);
  const write = (archive: Pack) =>
    format === "oci-archive"
      ? writeLayout(store, archive, entries, digests, reporter)
      : writeDockerArchive(store, archive, entries, reporter);
  if (output === "-") return await toStdout((stdout) => packInto(stdout, write));
  const target = resolve(output);
  if (!existsSync(dirname(target))) throw new Error(`${output}: its directory ${dirname(target)} is not there`);
  const there = statSync(target, { throwIfNoEntry: false });
  if (there?.isDirectory()) throw new Error(`${output}: is a directory: name a file, or use --format oci-dir`);
  // A device or a pipe is written to: a rename would take it from everybody.
  if (there !== undefined && !there.isFile()) return await packInto(createWriteStream(target), write);
  const temporary = temporaryBeside(target);
  try {
    await packInto(createWriteStream(temporary, { flags: "wx", mode: 0o666 }), write);
    renameSync(temporary, target);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** The entry, under the name that it was called by. */
async function named(store: Store, reference: string): Promise<Entry> {
  const entry = await findEntry(store, reference);
  try {
    const parsed = parseReference(reference);
    const full = formatReference(parsed);
    return parsed.digest === null && full === entry.name
      ? entry
      : { ...entry, name: isDigestName(entry.name) ? null : entry.name };
  } catch {
    return entry;
  }
}

/** Who reads the index alone shall see what an image is for. @see image-spec, descriptor.md, "Properties" */
async function withPlatform(store: Store, entry: Entry): Promise<Entry> {
  const { descriptor } = entry;
  if (descriptor.platform || !(await isImage(store, entry))) return entry;
  const { config } = await readImage(store, entry);
  const { architecture, os, variant, "os.version": version, "os.features": features } = config;
  const platform: Platform = {
    architecture,
    os,
    ...(variant ? { variant } : {}),
    ...(version ? { "os.version": version } : {}),
    ...(features ? { "os.features": features } : {}),
  };
  return { ...entry, descriptor: { ...descriptor, platform } };
}

function isDigestName(name: string | null): boolean {
  return name?.includes("@") ?? false;
}

async function protectAll(store: Store, lease: Lease, entries: readonly Entry[]): Promise<Digest[]> {
  using _ = await lockStore(store, "exclusive");
  const digests = [...new Set(entries.flatMap(({ descriptor }) => [...reachableFrom(store, descriptor)]))];
  lease.protectLocked(digests);
  return digests.filter((digest) => existsSync(blobPath(store, digest)));
}

/** Of an index not all images need be here; of an image all that a registry would have. @throws {Error} */
async function requireWhole(store: Store, descriptor: Descriptor, label: string): Promise<void> {
  for await (const { root } of documentsBelow(store, descriptor, label)) {
    if (root instanceof Error) throw root;
    if (root.kind === "index") continue;
    const { config, layers } = root.document;
    for (const one of [config, ...layers])
      if (!hasBlob(store, one) && layerKind(one.mediaType)?.foreign !== true) openBlob(store, one).close();
  }
}

function temporaryBeside(path: string): string {
  return join(dirname(path), `.tsrunc-${randomHex(6)}.partial`);
}

function indexOf(entries: readonly Entry[]): Index {
  const manifests = entries.map(({ name, descriptor }): Descriptor => {
    const { annotations: _, ...rest } = descriptor;
    return name === null
      ? rest
      : { ...rest, annotations: { [ANNOTATION.containerdName]: name, [ANNOTATION.name]: name } };
  });
  return { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests };
}

async function saveDirectory(
  store: Store,
  entries: readonly Entry[],
  digests: readonly Digest[],
  target: string,
  reporter: Reporter,
): Promise<void> {
  if (existsSync(target)) throw new Error(`${target}: is there already: name a directory that is not`);
  if (!existsSync(dirname(target))) throw new Error(`${target}: its directory is not there`);
  const temporary = temporaryBeside(target);
  try {
    for (const algorithm of new Set(digests.map((digest) => splitDigest(digest).algorithm)))
      mkdirSync(join(temporary, "blobs", algorithm), { recursive: true });
    for (const digest of digests) {
      const { algorithm, hex } = splitDigest(digest);
      await copyContent(store, digest, join(temporary, "blobs", algorithm, hex));
      reporter.task(shortDigest(digest), null).done("written");
    }
    replaceFile(join(temporary, "index.json"), JSON.stringify(indexOf(entries)));
    replaceFile(join(temporary, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
    for (const name of ["index.json", "oci-layout"]) chmodSync(join(temporary, name), MODE & ~process.umask());
    renameSync(temporary, target);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Of what is saved, before the umask. */
const MODE = 0o666;

/** By a reflink where the filesystem has them. */
async function copyContent(store: Store, digest: Digest, to: string): Promise<void> {
  const COPYFILE_FICLONE = 2;
  const from = blobPath(store, digest);
  const why = await whyUnusable(store, { digest, size: lstatSync(from).size });
  if (why !== null) throw why;
  await copyFile(from, to, COPYFILE_FICLONE);
  // The store's are for nobody else to read.
  chmodSync(to, MODE & ~process.umask());
}

async function writeLayout(
  store: Store,
  archive: Pack,
  entries: readonly Entry[],
  digests: readonly Digest[],
  reporter: Reporter,
): Promise<void> {
  await addDocument(archive, "oci-layout", { imageLayoutVersion: "1.0.0" });
  await addDocument(archive, "index.json", indexOf(entries));
  const images: Image[] = [];
  for (const entry of entries) if (await isImage(store, entry)) images.push(await readImage(store, entry));
  if (images.length > 0)
    await addDocument(
      archive,
      "manifest.json",
      archiveManifest(
        images,
        (digest) => memberName(digest),
        (digest) => memberName(digest),
      ),
    );
  for (const digest of digests) {
    const { size } = lstatSync(blobPath(store, digest));
    const task = reporter.task(shortDigest(digest), size);
    await addMember(archive, memberName(digest), size, streamBlob(store, { digest, size }));
    task.done();
  }
}

/** Whether Docker's list can have it: neither an index nor an artifact. */
async function isImage(store: Store, { descriptor }: Entry): Promise<boolean> {
  if (isIndexType(descriptor.mediaType)) return false;
  const root = parseRoot(await readBlob(store, descriptor), descriptor.mediaType, `manifest ${descriptor.digest}`);
  return root.kind === "manifest" && whyNoImage(root.document) === null;
}

function memberName(digest: Digest): string {
  const { algorithm, hex } = splitDigest(digest);
  return `blobs/${algorithm}/${hex}`;
}

/** One item an image, with all its tags. */
function archiveManifest(
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

async function writeDockerArchive(
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
