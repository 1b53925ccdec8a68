/** The image that a build ends with: its configuration, history and manifest. */
import type { Digest } from "../store/digest.ts";
import type { ExecutionConfig, HistoryEntry, ImageConfig, Manifest, Platform } from "../store/documents.ts";
import type { Lease } from "../store/lease.ts";
import { MEDIA_TYPE } from "../store/media-types.ts";
import { putDocument } from "../store/put-document.ts";
import type { Layer } from "../store/resolve.ts";

/** All that an image is. */
export interface ImageParts {
  layers: readonly Layer[];
  config: ExecutionConfig;
  author: string | null;
  history: readonly HistoryEntry[];
  /** RFC 3339. */
  created: string;
  platform: Platform;
}

/** The history of a base as this one goes on from: as many entries with layers as there are layers. */
export function historyOfBase({ history, rootfs }: Pick<ImageConfig, "history" | "rootfs">): HistoryEntry[] {
  const entries = history ?? [];
  const layers = (rootfs.diff_ids ?? []).length;
  const told = entries.filter(({ empty_layer: isEmpty }) => !isEmpty).length;
  if (told === layers) return [...entries];
  const unknown = Array.from({ length: Math.max(0, layers - told) }, () => ({
    created_by: "a layer that its image says nothing of",
  }));
  return told < layers
    ? [...unknown, ...entries]
    : Array.from({ length: layers }, () => ({ created_by: "a layer of the base image" }));
}

/** What is empty is left out, as Docker does. */
function tidied(config: ExecutionConfig): ExecutionConfig {
  const isEmpty = (value: unknown) =>
    value === null ||
    value === undefined ||
    value === "" ||
    (typeof value === "object" && Object.keys(value as object).length === 0);
  return Object.fromEntries(Object.entries(config).filter(([, value]) => !isEmpty(value))) as ExecutionConfig;
}

/** Puts an image's documents into the store. @returns the manifest's descriptor, and the digest of the configuration, which is the image's id */
export async function putImageDocuments(
  lease: Lease,
  { layers, config, author, history, created, platform }: ImageParts,
): Promise<{ descriptor: Awaited<ReturnType<typeof putDocument>>; id: Digest }> {
  const document: ImageConfig = {
    created,
    ...(author === null ? {} : { author }),
    ...platform,
    config: tidied(config),
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    history: [...history],
  };
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: await putDocument(lease, MEDIA_TYPE.config, document),
    layers: layers.map(({ descriptor: { mediaType, digest, size } }) => ({ mediaType, digest, size })),
  };
  return { descriptor: await putDocument(lease, MEDIA_TYPE.manifest, manifest), id: manifest.config.digest };
}
