/** `image load`: archives and directories of images into the store. */
import { isArchiveManifest } from "../../config/generated/image.js";
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
import type { Digest } from "../store/digest.ts";
import type { ArchiveManifest } from "../store/documents.ts";
import { putImage } from "../store/images.ts";
import { Lease } from "../store/lease.ts";
import { parseDocument, parseLayoutIndex } from "../store/parse-documents.ts";
import { lockStore, type Store } from "../store/store.ts";
import { loadDirectory } from "./load-directory.ts";
import { loadDockerArchive } from "./load-docker-archive.ts";
import { loadLayout } from "./load-layout.ts";
import type { Found, Loading, LoadOptions } from "./loading.ts";

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
    const images = await takeIn({ store, lease, members, options, reporter });
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

/** In the form that they come in. */
async function takeIn(loading: Loading): Promise<Found[]> {
  const { members } = loading;
  const { label } = members;
  const index = await members.document("index.json");
  if (index !== null) return await loadLayout(loading, parseLayoutIndex(index, `${label}: index.json`));
  const manifest = await members.document("manifest.json");
  if (manifest === null) {
    const old = (await members.document("repositories")) !== null;
    throw new Error(
      `${label}: has neither an index.json nor a manifest.json${old ? ": it is an archive of Docker before 1.10, which is not read" : ": it holds no images"}`,
    );
  }
  if (manifest.find((byte) => byte > 0x20) === 0x5b)
    return await loadDockerArchive(
      loading,
      parseDocument<ArchiveManifest>(manifest, isArchiveManifest, `${label}: manifest.json`),
    );
  return [await loadDirectory(loading, manifest)];
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
