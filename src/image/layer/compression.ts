/**
 * How a layer is compressed: what its first bytes say, for media types are wrong now and then; what was unpacked is checked by its
 * digest anyway.
 * @see image-spec layer.md, media-types.md; RFC 1952, RFC 8878
 */

import type { Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { LayerError } from "./layer-error.ts";

export type Compression = "gzip" | "zstd" | "none";

/** Media types of layers, with the compression that they name. Docker's "foreign" layers are like others once they are here. */
const MEDIA_TYPES: Readonly<Record<string, Compression>> = {
  "application/vnd.oci.image.layer.v1.tar": "none",
  "application/vnd.oci.image.layer.v1.tar+gzip": "gzip",
  "application/vnd.oci.image.layer.v1.tar+zstd": "zstd",
  "application/vnd.oci.image.layer.nondistributable.v1.tar": "none",
  "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip": "gzip",
  "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd": "zstd",
  "application/vnd.docker.image.rootfs.diff.tar": "none",
  "application/vnd.docker.image.rootfs.diff.tar.gzip": "gzip",
  "application/vnd.docker.image.rootfs.diff.tar.zstd": "zstd",
  "application/vnd.docker.image.rootfs.foreign.diff.tar": "none",
  "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip": "gzip",
};

/** @throws {LayerError} for a media type that is no layer's */
export function requireLayerType(mediaType: string): void {
  if (!Object.hasOwn(MEDIA_TYPES, mediaType)) {
    const known = "a layer is a tar archive, plain or compressed by gzip or zstd";
    throw new LayerError(`the media type ${JSON.stringify(mediaType)} is no layer's: ${known}`);
  }
}

/** How bytes are compressed, by their beginning: at least the first four, where there are so many. */
export function formatOf(start: Uint8Array): Compression | "xz" | "bzip2" {
  const begins = (...bytes: number[]) => bytes.every((byte, index) => start[index] === byte);
  if (begins(0x1f, 0x8b)) return "gzip";
  if (begins(0x28, 0xb5, 0x2f, 0xfd)) return "zstd";
  // A frame to be skipped, as zstd:chunked and pzstd begin with.
  if (((start[0] ?? 0) & 0xf0) === 0x50 && start[1] === 0x2a && start[2] === 0x4d && start[3] === 0x18) return "zstd";
  if (begins(0xfd, 0x37, 0x7a, 0x58)) return "xz";
  if (begins(0x42, 0x5a, 0x68)) return "bzip2";
  return "none";
}

/** @param start see {@link formatOf} @throws {LayerError} for a compression that no layer may have */
export function compressionOf(start: Uint8Array): Compression {
  const format = formatOf(start);
  if (format === "xz" || format === "bzip2")
    throw new LayerError(`it is compressed by ${format}: layers are plain, gzip or zstd`);
  return format;
}

/** Bytes that are decompressed at a time: as much as a processor's cache has. */
const CHUNK = 256 * 1024;

/** @returns `null` where nothing is compressed */
export function decompressor(compression: Compression): Transform | null {
  switch (compression) {
    case "gzip":
      return createGunzip({ chunkSize: CHUNK });
    case "zstd":
      return createZstdDecompress({ chunkSize: CHUNK });
    case "none":
      return null;
  }
}
