/** Digests: what content is named by. @see image-spec, descriptor.md, "Digests" */
import { createHash, type Hash } from "../../sys/hash.ts";

/** The algorithms that the image-spec registers and this program can compute, each with the length of its hexadecimal form. */
const ALGORITHMS = { sha256: 64, sha512: 128 } as const;

/** The name of a hash function, as in a digest. */
export type Algorithm = keyof typeof ALGORITHMS;

/** `sha256:<64 hexadecimal digits>`, or the same of sha512; in lower case. */
export type Digest = `${Algorithm}:${string}`;

/**
 * Reads a digest.
 * @throws {Error} for what is none, and for an algorithm that cannot be verified here
 */
export function parseDigest(text: string): Digest {
  const algorithm = checkDigest(text);
  if (!isKnown(algorithm)) {
    throw new Error(`the digest ${text} cannot be verified: sha256 and sha512 are known, and ${algorithm} is not`);
  }
  return text as Digest;
}

/**
 * Checks the form of a digest, which may be of an algorithm that is not known: it may be listed, and not be relied on.
 * @returns the algorithm
 * @throws {Error}
 */
export function checkDigest(text: string): string {
  const match = /^([a-z0-9]+(?:[+._-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)$/.exec(text);
  if (match === null)
    throw new Error(`${JSON.stringify(text)} is no digest: sha256:<64 hexadecimal digits> is expected`);
  const [, algorithm = "", encoded = ""] = match;
  if (!isKnown(algorithm)) return algorithm;
  const digits = ALGORITHMS[algorithm];
  if (encoded.length === digits && /^[0-9a-f]+$/.test(encoded)) return algorithm;
  throw new Error(`${JSON.stringify(text)} is no digest: ${algorithm} has ${digits} hexadecimal digits in lower case`);
}

function isKnown(algorithm: string): algorithm is Algorithm {
  return Object.hasOwn(ALGORITHMS, algorithm);
}

/** Whether a text is a digest that can be verified. */
export function isDigest(text: string): text is Digest {
  try {
    parseDigest(text);
    return true;
  } catch {
    return false;
  }
}

/** The two halves of a digest. */
export function splitDigest(digest: Digest): { algorithm: Algorithm; hex: string } {
  const colon = digest.indexOf(":");
  return { algorithm: digest.slice(0, colon) as Algorithm, hex: digest.slice(colon + 1) };
}

/** The digest of bytes. */
export function digestOf(bytes: Uint8Array | string, algorithm: Algorithm = "sha256"): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest("hex")}`;
}

/** A digest that grows with what it is given. */
export class Digester {
  readonly #hash: Hash;
  /** Bytes so far. */
  size = 0;

  constructor(readonly algorithm: Algorithm = "sha256") {
    this.#hash = createHash(algorithm);
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.size += bytes.byteLength;
  }

  /** Ends it. */
  digest(): Digest {
    return `${this.algorithm}:${this.#hash.digest("hex")}`;
  }
}

/** The first twelve digits, as listings show them. */
export function shortDigest(digest: Digest): string {
  return splitDigest(digest).hex.slice(0, 12);
}
