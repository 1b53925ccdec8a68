/** The manifests and indexes that a descriptor leads to. */
import { hasBlob, readBlob } from "./blobs.ts";
import type { Digest } from "./digest.ts";
import type { Descriptor } from "./documents.ts";
import { isRootType } from "./media-types.ts";
import { parseRoot, type Root } from "./parse-documents.ts";
import type { Store } from "./store.ts";

/** A document, or why it cannot be read. */
export interface DocumentBelow {
  descriptor: Descriptor;
  root: Root | Error;
}

/**
 * Reads them, each once: an index may name another many times over, and that one a third. Of an index not all need be in the store.
 * @param root an entry of the store's index
 */
export async function* documentsBelow(store: Store, root: Descriptor, label: string): AsyncGenerator<DocumentBelow> {
  const seen = new Set<Digest>([root.digest]);
  const queue = [root];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    const descriptor = next;
    const document = await readBlob(store, descriptor)
      .then((bytes) => parseRoot(bytes, descriptor.mediaType, `manifest of ${label}`))
      .catch((error: Error) => error);
    yield { descriptor, root: document };
    if (document instanceof Error || document.kind === "manifest") continue;
    for (const child of document.document.manifests) {
      if (seen.has(child.digest) || !isRootType(child.mediaType)) continue;
      seen.add(child.digest);
      if (hasBlob(store, child)) queue.push(child);
    }
  }
}
