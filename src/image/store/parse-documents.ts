/** Bytes to documents, validated. */
import { ConfigError } from "../../config/error.ts";
import { isImageConfig, isIndex, isManifest } from "../../config/generated/image.js";
import { failure, type Validator } from "../../config/schema.ts";
import { checkDigest, parseDigest } from "./digest.ts";
import type { Descriptor, ImageConfig, Index, Manifest } from "./documents.ts";
import { isIndexType, isRootType, MEDIA_TYPE } from "./media-types.ts";

/** The largest document that is read, in bytes: what registries take and other tools read. */
export const LARGEST_DOCUMENT = 4 << 20;

/** A manifest or an index, and what it is. */
export type Root =
  | { kind: "manifest"; mediaType: string; document: Manifest }
  | { kind: "index"; mediaType: string; document: Index };

/**
 * Parses JSON and checks its shape.
 * @param name what the document is called in errors
 * @throws {ConfigError}
 */
export function parseDocument<T>(bytes: Uint8Array, validator: Validator<T>, name: string): T {
  const document = parseJson(bytes, name);
  if (!validator(document)) throw failure(validator.errors?.[0], document, name);
  return document;
}

function parseJson(bytes: Uint8Array, name: string): unknown {
  if (bytes.byteLength > LARGEST_DOCUMENT) {
    throw new ConfigError(
      "",
      undefined,
      `has ${bytes.byteLength} bytes, more than the ${LARGEST_DOCUMENT} that are read`,
      name,
    );
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    const start = new TextDecoder().decode(bytes.subarray(0, 40)).trim();
    throw new ConfigError("", undefined, `is no JSON: it begins with ${JSON.stringify(start)}`, name);
  }
}

/**
 * Parses a manifest or an index. A document that could be read as both, or whose own media type is another than the one that was
 * promised, is refused: two readers would see different images under one digest (CVE-2021-41190).
 * @param promised the media type of the descriptor or of the reply; `undefined` where there is none that says anything
 * @throws {ConfigError}
 * @see image-spec, manifest.md and image-index.md, "mediaType"
 */
export function parseRoot(bytes: Uint8Array, promised: string | undefined, name: string): Root {
  const document = parseJson(bytes, name) as Record<string, unknown> | null;
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    throw new ConfigError("", undefined, "must be an object: a manifest or an index", name);
  }
  if (document["schemaVersion"] === 1) {
    throw new ConfigError(
      "/schemaVersion",
      1,
      "this is a manifest of Docker's schema 1, which is no longer read: push the image again",
      name,
    );
  }
  const mediaType = ownType(document, promised, name);
  if (isIndexType(mediaType)) {
    if (!isIndex(document)) throw failure(isIndex.errors?.[0], document, name);
    checkIndexDigests(document, name);
    return { kind: "index", mediaType, document };
  }
  if (!isManifest(document)) throw failure(isManifest.errors?.[0], document, name);
  const { config, layers, subject } = document;
  checkEach([config], parseDigest, () => "/config", name);
  checkEach(layers, parseDigest, (at) => `/layers/${at}`, name);
  checkEach(subject ? [subject] : [], checkDigest, () => "/subject", name);
  return { kind: "manifest", mediaType, document };
}

/** Parses the list of images of an OCI layout. @throws {ConfigError} */
export function parseLayoutIndex(bytes: Uint8Array, name: string): Index {
  const index = parseDocument<Index>(bytes, isIndex, name);
  checkIndexDigests(index, name);
  return index;
}

/** What an index lists may be for others, who know more algorithms. */
function checkIndexDigests({ manifests, subject }: Index, name: string): void {
  checkEach(manifests, checkDigest, (at) => `/manifests/${at}`, name);
  checkEach(subject ? [subject] : [], checkDigest, () => "/subject", name);
}

function checkEach(
  descriptors: readonly Descriptor[],
  check: (digest: string) => unknown,
  pointer: (at: number) => string,
  name: string,
): void {
  for (const [at, { digest }] of descriptors.entries()) {
    try {
      check(digest);
    } catch (error) {
      throw new ConfigError(`${pointer(at)}/digest`, undefined, (error as Error).message, name);
    }
  }
}

function ownType(document: Record<string, unknown>, promised: string | undefined, name: string): string {
  const looksLikeIndex = document["manifests"] !== undefined;
  const looksLikeManifest =
    document["config"] !== undefined || document["layers"] !== undefined || document["fsLayers"] !== undefined;
  if (looksLikeIndex && looksLikeManifest) {
    throw new ConfigError(
      "",
      undefined,
      "has both manifests and layers or a config: it could be read as two different images",
      name,
    );
  }
  const own = document["mediaType"] ?? undefined;
  if (own !== undefined && typeof own !== "string") throw new ConfigError("/mediaType", own, "must be a string", name);
  const known = promised !== undefined && isRootType(promised) ? promised : undefined;
  if (own !== undefined && known !== undefined && own !== known) {
    throw new ConfigError("/mediaType", own, `must be ${known}, as the document is referred to`, name);
  }
  const type = own ?? known ?? (looksLikeIndex ? MEDIA_TYPE.index : MEDIA_TYPE.manifest);
  if (!isRootType(type)) throw new ConfigError("/mediaType", type, "is no manifest or index that is known", name);
  if (isIndexType(type) ? looksLikeManifest : looksLikeIndex) {
    throw new ConfigError(
      "",
      undefined,
      `is no ${isIndexType(type) ? "index" : "manifest"}, which its media type says`,
      name,
    );
  }
  return type;
}

/** Parses the configuration of an image. @throws {ConfigError} */
export function parseImageConfig(bytes: Uint8Array, name: string): ImageConfig {
  return parseDocument(bytes, isImageConfig, name);
}
