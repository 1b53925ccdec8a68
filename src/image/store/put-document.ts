/** Documents on their way into the store: manifests, indexes and configs. */
import type { Identity } from "./blobs.ts";
import { digestOf } from "./digest.ts";
import type { Descriptor } from "./documents.ts";
import { ingest } from "./ingest.ts";
import type { Lease } from "./lease.ts";

/**
 * Puts a document into the store that this program makes.
 * @param document an object, or its bytes
 * @param lease    is made to hold on to it
 */
export async function putDocument(
  lease: Lease,
  mediaType: string,
  document: object | Uint8Array,
): Promise<Pick<Descriptor, "mediaType" | "digest" | "size">> {
  const bytes = document instanceof Uint8Array ? document : new TextEncoder().encode(JSON.stringify(document));
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
  await keepDocument(lease, descriptor, bytes);
  return descriptor;
}

/**
 * Puts a document into the store that somebody else has made, by the digest that it is called by: that may be another than sha256.
 * @param lease is made to hold on to it
 */
export async function keepDocument(lease: Lease, { digest, size }: Identity, bytes: Uint8Array): Promise<void> {
  await ingest(lease, { digest, size }, async function* (offset) {
    yield bytes.subarray(offset);
  });
}
