/** Reading bytes that come in pieces, without copying what lies in one. */
import { LayerError } from "./layer-error.ts";

/** Bytes in their order, a piece at a time. */
export interface ByteSource {
  /** The next piece, not empty, valid until the next call; `null` at the end. @throws what reading throws */
  next(): Uint8Array | null;
}

/** A source of what is in memory. */
export function sourceOf(...pieces: readonly Uint8Array[]): ByteSource {
  let index = 0;
  return {
    next() {
      while (index < pieces.length) {
        const piece = pieces[index++] as Uint8Array;
        if (piece.length > 0) return piece;
      }
      return null;
    },
  };
}

/** Reads a source by counts of bytes. */
export class ByteReader {
  /** Bytes read so far. */
  position = 0;
  #piece: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(private readonly source: ByteSource) {}

  /**
   * What comes next, at most `most` bytes, as it lies in memory, until the next call.
   * @returns `null` at the end
   */
  some(most: number): Uint8Array | null {
    if (this.#at === this.#piece.length) {
      const piece = this.source.next();
      if (piece === null) return null;
      this.#piece = piece;
      this.#at = 0;
    }
    const part = this.#piece.subarray(this.#at, this.#at + most);
    this.#at += part.length;
    this.position += part.length;
    return part;
  }

  /**
   * So many bytes, in one piece, until the next call.
   * @returns `null` when the end comes first
   */
  exactly(count: number): Uint8Array | null {
    const first = this.some(count);
    if (first === null || first.length === count) return first;
    const whole = new Uint8Array(count);
    whole.set(first);
    for (let length = first.length; length < count; ) {
      const part = this.some(count - length);
      if (part === null) return null;
      whole.set(part, length);
      length += part.length;
    }
    return whole;
  }

  /** Passes so many bytes over. @throws {LayerError} when the end comes first */
  skip(count: number): void {
    this.each(count, () => {});
  }

  /** Hands over so many bytes, in pieces. @throws {LayerError} when the end comes first */
  each(count: number, take: (piece: Uint8Array) => void): void {
    for (let rest = count; rest > 0; ) {
      const part = this.some(rest);
      if (part === null) throw new LayerError(`the archive ends ${rest} bytes too early, at byte ${this.position}`);
      take(part);
      rest -= part.length;
    }
  }

  /** Reads to the end. */
  drain(): void {
    while (this.some(Number.MAX_SAFE_INTEGER) !== null);
  }
}
