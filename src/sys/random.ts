/** Random numbers of this process's own. */
import { mustSyscall } from "./error.ts";

/**
 * A number from 0 to before 1, as Math.random() says; from the kernel. The engine's own generator is seeded when the engine starts, which
 * for a snapshot is at build time: it gives each process the same sequence.
 * @see getrandom(2)
 */
export function randomNumber(): number {
  const words = new Uint32Array(2);
  mustSyscall("getrandom", words, words.byteLength, 0);
  const [high, low] = words as unknown as [number, number];
  const HIGH_BITS = 21; // with the 32 others, as many as a number keeps
  return ((high >>> (32 - HIGH_BITS)) * 2 ** 32 + low) / 2 ** (32 + HIGH_BITS);
}

/** Random bytes in hexadecimal digits, such as for the name of a file that nobody else has. @see getrandom(2) */
export function randomHex(bytes: number): string {
  const memory = new Uint8Array(bytes);
  // Up to 256 bytes come at once.
  mustSyscall("getrandom", memory, bytes, 0);
  return memory.toHex();
}
