/** Hash functions: the engine's own, since `node:crypto` comes with all of Node's streams, which take 9 ms to load. */

/** A digest that grows with what it is given. */
export interface Hash {
  update(data: string | Uint8Array, encoding?: "utf8" | "latin1"): Hash;
  /** Ends it. */
  digest(encoding: "hex"): string;
  digest(): Uint8Array;
}

declare const Bun: { CryptoHasher: new (algorithm: string) => Hash };

/** Begins a digest. */
export function createHash(algorithm: "sha256" | "sha384" | "sha512"): Hash {
  return new Bun.CryptoHasher(algorithm);
}
