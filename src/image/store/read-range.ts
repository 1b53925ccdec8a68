/** Parts of contents, for who sends them on: the other side checks the digest of the whole. */
import { createReadStream } from "node:fs";
import { blobPath, type Identity, openBlob } from "./blobs.ts";
import type { Store } from "./store.ts";

const CHUNK = 256 << 10;

/** The bytes of content from an offset on. @throws {MissingBlobError} @throws {DamagedBlobError} for another size */
export async function* readRange(
  store: Store,
  identity: Identity,
  offset: number,
  length: number,
): AsyncGenerator<Uint8Array> {
  if (length === 0) return;
  const file = openBlob(store, identity);
  yield* createReadStream(blobPath(store, identity.digest), {
    fd: file.release(),
    start: offset,
    end: offset + length - 1,
    highWaterMark: CHUNK,
  }) as AsyncIterable<Uint8Array>;
}
