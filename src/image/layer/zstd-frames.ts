/**
 * Follows the frames of a zstd stream without decompressing them. The engine's decoder ends without a word where a stream was cut off, and
 * passes over what follows the last frame.
 * @see RFC 8878, section 3.1
 */

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;

/** Bytes of a field of the frame's header, by the two bits that tell of it. */
const DICTIONARY_ID = [0, 1, 2, 4];
const CONTENT_SIZE = [0, 2, 4, 8];

type State = "magic" | "skippable size" | "descriptor" | "header" | "block header" | "block" | "checksum" | "skipped";

/** Where in a stream one is. */
export class ZstdFrames {
  #state: State = "magic";
  /** Bytes that the state still wants; those of small fields are kept. */
  #wanted = 4;
  #field: number[] = [];
  #hasChecksum = false;
  #isLastBlock = false;

  /** @throws {Error} where no frame begins after one */
  write(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.byteLength; ) {
      const count = Math.min(this.#wanted, chunk.byteLength - at);
      if (this.#isField()) this.#field.push(...chunk.subarray(at, at + count));
      at += count;
      this.#wanted -= count;
      if (this.#wanted === 0) this.#next();
    }
  }

  /** @throws {Error} where the stream ends within a frame */
  end(): void {
    if (this.#state === "magic" && this.#field.length === 0) return;
    throw new Error("it ends within a frame of zstd");
  }

  #isField(): boolean {
    return ["magic", "skippable size", "descriptor", "block header"].includes(this.#state);
  }

  #next(): void {
    const field = this.#field;
    this.#field = [];
    const number = field.reduceRight((sum, byte) => sum * 256 + byte, 0);
    switch (this.#state) {
      case "magic":
        if (number === MAGIC) return this.#want("descriptor", 1);
        if (number - (number % 16) === SKIPPABLE) return this.#want("skippable size", 4);
        throw new Error("what follows a frame of zstd is none");
      case "skippable size":
        return this.#want("skipped", number);
      case "descriptor":
        this.#hasChecksum = (number & 0b100) !== 0;
        return this.#want("header", headerSize(number));
      case "header":
        return this.#want("block header", 3);
      case "block header": {
        const RLE = 1;
        this.#isLastBlock = (number & 1) !== 0;
        return this.#want("block", ((number >> 1) & 3) === RLE ? 1 : number >> 3);
      }
      case "block":
        if (!this.#isLastBlock) return this.#want("block header", 3);
        return this.#hasChecksum ? this.#want("checksum", 4) : this.#want("magic", 4);
      case "checksum":
      case "skipped":
        return this.#want("magic", 4);
    }
  }

  #want(state: State, count: number): void {
    this.#state = state;
    this.#wanted = count;
    if (count === 0) this.#next();
  }
}

/** Bytes of a frame's header after its descriptor. */
function headerSize(descriptor: number): number {
  const isSingleSegment = (descriptor & 0b10_0000) !== 0;
  const contentSize = isSingleSegment && descriptor >> 6 === 0 ? 1 : (CONTENT_SIZE[descriptor >> 6] as number);
  return (isSingleSegment ? 0 : 1) + (DICTIONARY_ID[descriptor & 3] as number) + contentSize;
}
