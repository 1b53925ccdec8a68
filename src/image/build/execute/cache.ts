/**
 * The cache: which layer a step made, by the key of all that it depends on. A record is of use as long as its layer is in the store, which
 * `image prune` may empty.
 */
import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { hasErrno } from "../../../sys/error.ts";
import { mkdirAll } from "../../../sys/file.ts";
import { createHash } from "../../../sys/hash.ts";
import { join } from "../../../sys/path-names.ts";
import { randomHex } from "../../../sys/random.ts";
import { hasBlob } from "../../store/blobs.ts";
import { isDigest } from "../../store/digest.ts";
import type { Descriptor } from "../../store/documents.ts";
import type { Lease } from "../../store/lease.ts";
import { layerKind } from "../../store/media-types.ts";
import type { Layer } from "../../store/resolve.ts";
import type { Store } from "../../store/store.ts";

/** What a step made. */
export interface StepResult {
  /** `null` where nothing was changed. */
  layer: Layer | null;
  /** RFC 3339. */
  created: string;
}

/** Changed when the same step would make something else than it did. */
const VERSION = 2;

/** A key of values that can be written as JSON. */
export function cacheKey(...parts: readonly unknown[]): string {
  return createHash("sha256")
    .update(JSON.stringify([VERSION, ...parts]))
    .digest("hex");
}

function recordPath({ root }: Store, key: string): string {
  return join(root, "build", "cache", key);
}

/** Looks a step up, and makes the lease hold on to its layer. @returns `null` for none */
export async function findResult(lease: Lease, key: string): Promise<StepResult | null> {
  const record = readRecord(recordPath(lease.store, key));
  if (record === null) return null;
  const { created, descriptor, diffId } = record;
  if (descriptor === null) return { layer: null, created };
  const kind = layerKind(descriptor.mediaType);
  if (kind === null || !isDigest(diffId) || !isDigest(descriptor.digest)) return null;
  await lease.protect([descriptor.digest]);
  return hasBlob(lease.store, descriptor) ? { layer: { descriptor, diffId, kind }, created } : null;
}

interface StoredResult {
  created: string;
  descriptor: Descriptor | null;
  diffId: string;
}

/** What is damaged is no record. */
function readRecord(path: string): StoredResult | null {
  try {
    const { created, descriptor, diffId } = JSON.parse(readFileSync(path, "utf8")) as Partial<StoredResult>;
    if (typeof created !== "string" || typeof diffId !== "string" || descriptor === undefined) return null;
    if (descriptor !== null && (typeof descriptor.mediaType !== "string" || typeof descriptor.size !== "number"))
      return null;
    return { created, descriptor, diffId };
  } catch {
    return null;
  }
}

/** Writes a step's result down, whole or not at all, unless there is a record already. @returns whether it did */
export function claimResult(store: Store, key: string, result: StepResult): boolean {
  const temporary = writeRecord(store, key, result);
  try {
    linkSync(temporary, recordPath(store, key));
    return true;
  } catch (error) {
    if (hasErrno(error, "EEXIST")) return false;
    throw error;
  } finally {
    unlinkSync(temporary);
  }
}

/** Writes a step's result down, whole or not at all, in the place of another one. */
export function keepResult(store: Store, key: string, result: StepResult): void {
  renameSync(writeRecord(store, key, result), recordPath(store, key));
}

/** @returns the path of a new file, beside the record's place */
function writeRecord(store: Store, key: string, { layer, created }: StepResult): string {
  const path = recordPath(store, key);
  mkdirAll(join(store.root, "build", "cache"), 0o700);
  const record: StoredResult = { created, descriptor: layer?.descriptor ?? null, diffId: layer?.diffId ?? "" };
  const temporary = `${path}.${randomHex(6)}`;
  writeFileSync(temporary, JSON.stringify(record), { mode: 0o600 });
  return temporary;
}
