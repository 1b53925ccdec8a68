/** Contents that are in the store. */
import { createReadStream, readFileSync } from "node:fs";
import { hasErrno } from "../../sys/error.ts";
import { type Fd, O, open } from "../../sys/fd.ts";
import { join } from "../../sys/path-names.ts";
import { findLinkStat, fstat, isType } from "../../sys/stat.ts";
import { type Digest, Digester, digestOf, isDigest, splitDigest } from "./digest.ts";
import type { Descriptor } from "./documents.ts";
import { LARGEST_DOCUMENT } from "./parse-documents.ts";
import type { Store } from "./store.ts";

/** What identifies content. */
export type Identity = Pick<Descriptor, "digest" | "size">;

/** Content that is in the store, and is not what its digest says. */
export class DamagedBlobError extends Error {
  override readonly name = "DamagedBlobError";

  constructor(
    readonly digest: Digest,
    readonly path: string,
    what: string,
  ) {
    super(`${path}: damaged: ${what} (pull or load the image again)`);
  }
}

/** Content that is not in the store. */
export class MissingBlobError extends Error {
  override readonly name = "MissingBlobError";

  constructor(readonly digest: Digest) {
    super(`${digest} is not in the store (pull or load the image again)`);
  }
}

/** Where the content of a digest is, if it is there. */
export function blobPath({ paths }: Store, digest: Digest): string {
  const { algorithm, hex } = splitDigest(digest);
  return join(paths.blobs, algorithm, hex);
}

/** Whether content is there, and as large as it should be. Protect it with a lease first. */
export function hasBlob(store: Store, { digest, size }: Identity): boolean {
  if (!isDigest(digest)) return false;
  const file = findLinkStat(blobPath(store, digest));
  return file !== null && isType(file, "regular") && file.size === size;
}

/**
 * Opens content for reading. Its size has been compared; its digest is for the reader to compare.
 * @throws {MissingBlobError}
 * @throws {DamagedBlobError} for another size
 */
export function openBlob(store: Store, { digest, size }: Identity): Fd {
  const path = blobPath(store, digest);
  const file = openOrMissing(path, digest);
  const found = fstat(file.number);
  if (isType(found, "regular") && found.size === size) return file;
  file.close();
  throw new DamagedBlobError(digest, path, `has ${found.size} bytes instead of ${size}`);
}

function openOrMissing(path: string, digest: Digest): Fd {
  try {
    return open(path, O.RDONLY | O.NOFOLLOW | O.NONBLOCK);
  } catch (error) {
    throw hasErrno(error, "ENOENT") ? new MissingBlobError(digest) : error;
  }
}

/** Bytes of a read. */
const CHUNK = 1 << 20;

/**
 * The bytes of content; its end is reached only if the digest is right.
 * @throws {MissingBlobError}
 * @throws {DamagedBlobError}
 */
export async function* streamBlob(store: Store, identity: Identity): AsyncGenerator<Uint8Array> {
  const file = openBlob(store, identity);
  const path = blobPath(store, identity.digest);
  const digester = new Digester(splitDigest(identity.digest).algorithm);
  for await (const chunk of createReadStream(path, {
    fd: file.release(),
    highWaterMark: CHUNK,
  }) as AsyncIterable<Uint8Array>) {
    digester.update(chunk);
    yield chunk;
  }
  const digest = digester.digest();
  if (digest !== identity.digest) throw new DamagedBlobError(identity.digest, path, `its digest is ${digest}`);
}

/**
 * The content of a small document.
 * @throws {MissingBlobError}
 * @throws {DamagedBlobError}
 * @throws {Error} for one of more than 4 MiB
 */
export async function readBlob(store: Store, identity: Identity): Promise<Uint8Array> {
  if (identity.size > LARGEST_DOCUMENT) {
    throw new Error(`${identity.digest}: has ${identity.size} bytes, more than the ${LARGEST_DOCUMENT} of a document`);
  }
  using file = openBlob(store, identity);
  const bytes = readFileSync(file.number);
  const digest = digestOf(bytes, splitDigest(identity.digest).algorithm);
  if (digest !== identity.digest)
    throw new DamagedBlobError(identity.digest, blobPath(store, identity.digest), `its digest is ${digest}`);
  return bytes;
}
