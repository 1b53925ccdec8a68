/** Images of a store, made of archives as tests want them. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { Digest } from "../../src/image/store/digest.ts";
import type { Descriptor, ExecutionConfig } from "../../src/image/store/documents.ts";
import { putImage } from "../../src/image/store/images.ts";
import { ingest } from "../../src/image/store/ingest.ts";
import { Lease } from "../../src/image/store/lease.ts";
import type { Store } from "../../src/image/store/store.ts";

export const sha256 = (bytes: Uint8Array): Digest => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

export interface Made {
  layers: readonly Uint8Array[];
  config?: ExecutionConfig;
  /** How layers become blobs. */
  pack?: (archive: Uint8Array, index: number) => Uint8Array;
  mediaType?: string;
  diffIds?: Digest[];
  os?: string;
}

/** Puts an image of these archives into a store. */
export async function putLayers(store: Store, name: string, made: Made): Promise<void> {
  const { layers, config = { Cmd: ["/bin/true"] }, pack = (archive) => gzipSync(archive) } = made;
  const { mediaType = "application/vnd.oci.image.layer.v1.tar+gzip", diffIds = layers.map(sha256) } = made;
  using lease = await Lease.take(store);
  const add = async (type: string, bytes: Uint8Array): Promise<Descriptor> => {
    const descriptor: Descriptor = { mediaType: type, digest: sha256(bytes), size: bytes.length };
    await ingest(lease, descriptor, async function* () {
      yield bytes;
    });
    return descriptor;
  };
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const image = {
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: made.os ?? "linux",
    config,
    rootfs: { type: "layers", diff_ids: diffIds },
  };
  const configDescriptor = await add("application/vnd.oci.image.config.v1+json", json(image));
  const descriptors: Descriptor[] = [];
  for (const [index, archive] of layers.entries()) descriptors.push(await add(mediaType, pack(archive, index)));
  const manifest = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: configDescriptor,
    layers: descriptors,
  };
  await putImage(
    store,
    `docker.io/library/${name}:latest`,
    await add("application/vnd.oci.image.manifest.v1+json", json(manifest)),
  );
}
