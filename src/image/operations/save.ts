/** `image save`: images of the store as an archive or a directory that others load. */

import { createWriteStream, existsSync, renameSync, rmSync, statSync } from "node:fs";
import type { Pack } from "tar-stream";
import { dirname, resolve } from "../../sys/path-names.ts";
import { toStdout } from "../archive/stdout.ts";
import { packInto } from "../archive/write.ts";
import type { Reporter } from "../progress/reporter.ts";
import { formatReference, isDigestName, parseReference } from "../reference/reference.ts";
import { blobPath, hasBlob, openBlob } from "../store/blobs.ts";
import { reachableFrom } from "../store/collect.ts";
import type { Digest } from "../store/digest.ts";
import type { Descriptor, Platform } from "../store/documents.ts";
import { documentsBelow } from "../store/documents-below.ts";
import type { Entry } from "../store/images.ts";
import { Lease } from "../store/lease.ts";
import { layerKind } from "../store/media-types.ts";
import { findEntry, readImage } from "../store/resolve.ts";
import { lockStore, type Store } from "../store/store.ts";
import { writeDockerArchive } from "./save-docker-archive.ts";
import { isImage, saveDirectory, temporaryBeside, writeLayout } from "./save-layout.ts";

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
