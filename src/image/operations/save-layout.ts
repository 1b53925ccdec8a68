/** An OCI layout of images of the store, as a directory or an archive. @see image-spec, image-layout.md */
import { chmodSync, existsSync, lstatSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import type { Pack } from "tar-stream";
import { dirname, join } from "../../sys/path-names.ts";
import { randomHex } from "../../sys/random.ts";
import { addDocument, addMember } from "../archive/write.ts";
import type { Reporter } from "../progress/reporter.ts";
import { blobPath, readBlob, streamBlob } from "../store/blobs.ts";
import { whyUnusable } from "../store/damaged.ts";
import { type Digest, shortDigest, splitDigest } from "../store/digest.ts";
import type { Descriptor, Index } from "../store/documents.ts";
import { ANNOTATION, type Entry } from "../store/images.ts";
import { isIndexType, MEDIA_TYPE, whyNoImage } from "../store/media-types.ts";
import { parseRoot } from "../store/parse-documents.ts";
import { type Image, readImage } from "../store/resolve.ts";
import { replaceFile, type Store } from "../store/store.ts";
import { archiveManifest } from "./save-docker-archive.ts";

/** What a file or directory is called until it is whole. */
export function temporaryBeside(path: string): string {
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

/** `oci-dir`. @throws {Error} for a directory that is there */
export async function saveDirectory(
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

/** `oci-archive`: with Docker's list of those images that it can have. */
export async function writeLayout(
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
export async function isImage(store: Store, { descriptor }: Entry): Promise<boolean> {
  if (isIndexType(descriptor.mediaType)) return false;
  const root = parseRoot(await readBlob(store, descriptor), descriptor.mediaType, `manifest ${descriptor.digest}`);
  return root.kind === "manifest" && whyNoImage(root.document) === null;
}

function memberName(digest: Digest): string {
  const { algorithm, hex } = splitDigest(digest);
  return `blobs/${algorithm}/${hex}`;
}
