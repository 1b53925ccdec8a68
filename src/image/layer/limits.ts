/** What a layer may ask for at most: an archive of a few kilobytes can unpack to more than any disk has. */
import { LayerError } from "./layer-error.ts";

/** Limits of a layer; each can be raised. */
export interface LayerLimits {
  /** Entries of a layer. */
  entries: number;
  /** Bytes that a layer unpacks to. */
  bytes: number;
  /** How many times larger than its compressed form a layer may be. */
  ratio: number;
  /** Components of a path. */
  depth: number;
}

/**
 * More than images have: the largest in use have a million entries and some 50 GB; what compresses best among real layers, logs and
 * debug data, 20 to 40 times.
 */
export const DEFAULT_LIMITS: LayerLimits = {
  entries: 4_000_000,
  bytes: 256 * 2 ** 30,
  ratio: 200,
  depth: 256,
};

/** Below so many bytes the ratio does not matter: a layer of one empty file of 100 MB is odd, but harms nobody. */
const RATIO_FROM = 256 * 2 ** 20;

/**
 * Checks what an archive has unpacked to so far.
 * @param counts bytes of it that were read, and what they became
 * @throws {LayerError}
 */
export function checkSizes(
  { compressed, plain }: { compressed: number; plain: number },
  { bytes, ratio }: Pick<LayerLimits, "bytes" | "ratio">,
): void {
  if (plain > bytes) throw new LayerError(`it unpacks to more than ${bytes} bytes (--max-bytes)`);
  if (plain > RATIO_FROM && plain > compressed * ratio)
    throw new LayerError(`it unpacks to more than ${ratio} times its ${compressed} bytes (--max-ratio)`);
}
