/**
 * Media types: what a descriptor says its content is.
 *
 * A layer's media type says how it is compressed, and may lie: known layers are compressed as their first bytes say, and right when their
 * diffID says so.
 * @see image-spec, media-types.md
 */

export const MEDIA_TYPE = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
  layerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  layerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  dockerLayerZstd: "application/vnd.docker.image.rootfs.diff.tar.zstd",
  dockerForeignLayer: "application/vnd.docker.image.rootfs.foreign.diff.tar",
  dockerForeignLayerGzip: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
} as const;

/** How a layer's archive is wrapped. */
export type Compression = "none" | "gzip" | "zstd";

/** What there is to know of a layer's media type. */
export interface LayerKind {
  compression: Compression;
  /** Whether it is not to be pushed, and may be fetched from the descriptor's `urls`. */
  foreign: boolean;
}

const { manifest, dockerManifest, index, dockerIndex, config, dockerConfig } = MEDIA_TYPE;

/** Of both makers: what the plain form is called, what stands before the compression's name, and whether it is foreign. */
const MAKERS = [
  ["application/vnd.oci.image.layer.v1.tar", "+", false],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar", "+", true],
  ["application/vnd.docker.image.rootfs.diff.tar", ".", false],
  ["application/vnd.docker.image.rootfs.foreign.diff.tar", ".", true],
] as const;

const LAYERS = new Map<string, LayerKind>();
for (const [name, separator, foreign] of MAKERS) {
  LAYERS.set(name, { compression: "none", foreign });
  for (const compression of ["gzip", "zstd"] as const) {
    LAYERS.set(`${name}${separator}${compression}`, { compression, foreign });
  }
}

/** What a layer's media type says; `null` for one that is no layer that could be unpacked. */
export function layerKind(mediaType: string): LayerKind | null {
  return LAYERS.get(mediaType) ?? null;
}

export function isManifestType(mediaType: string): boolean {
  return mediaType === manifest || mediaType === dockerManifest;
}

export function isIndexType(mediaType: string): boolean {
  return mediaType === index || mediaType === dockerIndex;
}

/** Of what leads to other content: a manifest, or an index. */
export function isRootType(mediaType: string): boolean {
  return isManifestType(mediaType) || isIndexType(mediaType);
}

export function isConfigType(mediaType: string): boolean {
  return mediaType === config || mediaType === dockerConfig;
}

/**
 * Why a manifest is no image whose layers could be unpacked, to follow what it is called; `null` for one that is. What is none is for another
 * program, and is kept and handed on as it is.
 * @see image-spec, manifest.md, "Guidelines for Artifact Usage"
 */
export function whyNoImage(manifest: {
  config: { mediaType: string };
  layers: readonly { mediaType: string }[];
}): string | null {
  const { config, layers } = manifest;
  if (!isConfigType(config.mediaType)) return `is no image but an artifact: its config is of type ${config.mediaType}`;
  const index = layers.findIndex(({ mediaType }) => layerKind(mediaType) === null);
  const { mediaType } = layers[index] ?? {};
  return mediaType === undefined ? null : `is no image to run: layer ${index + 1} is of type ${mediaType}`;
}
