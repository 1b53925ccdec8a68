/** Content that is not what its digest says: found, and taken out of the way. */

import { orNull } from "../../sys/error.ts";
import { unlink } from "../../sys/file.ts";
import { blobPath, DamagedBlobError, hasBlob, type Identity, streamBlob } from "./blobs.ts";
import type { Store } from "./store.ts";

/**
 * What is wrong with content that could not be used; `null`: nothing, so it is what it should be.
 * @param progress told of the bytes that were read
 */
export async function whyUnusable(
  store: Store,
  identity: Identity,
  progress: (bytes: number) => void = () => {},
): Promise<Error | null> {
  try {
    let bytes = 0;
    for await (const chunk of streamBlob(store, identity)) {
      bytes += chunk.byteLength;
      progress(bytes);
    }
    return null;
  } catch (error) {
    return error as Error;
  }
}

/**
 * Removes content that is there and damaged, so that it is fetched again. Reading it all takes a second for a gigabyte or two, less than fetching.
 * A lease must hold on to it.
 * @param progress told of the bytes that were read
 */
export async function discardDamaged(
  store: Store,
  identity: Identity,
  progress: (bytes: number) => void = () => {},
): Promise<void> {
  if (!hasBlob(store, identity)) return;
  progress(0);
  const why = await whyUnusable(store, identity, progress);
  if (why === null) return;
  if (!(why instanceof DamagedBlobError)) throw why;
  orNull(() => unlink(blobPath(store, identity.digest)));
}
