/** What a layer may ask for at most: an archive of a few kilobytes can unpack to more than any disk has. */

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
export const RATIO_FROM = 256 * 2 ** 20;
