/** Documents that this program makes: manifests, indexes and configs on their way into the store. */
import { digestOf } from "./digest.ts";
import type { Descriptor } from "./documents.ts";
import { ingest } from "./ingest.ts";
import type { Lease } from "./lease.ts";

/**
 * Puts a document into the store.
 * @param document an object, or the bytes of one that shall stay as they are
 * @param lease    is made to hold on to it
 */
export async function putDocument(
  lease: Lease,
  mediaType: string,
  document: object | Uint8Array,
): Promise<Pick<Descriptor, "mediaType" | "digest" | "size">> {
  const bytes = document instanceof Uint8Array ? document : new TextEncoder().encode(JSON.stringify(document));
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
  await ingest(lease, descriptor, async function* (offset) {
    yield bytes.subarray(offset);
  });
  return descriptor;
}
