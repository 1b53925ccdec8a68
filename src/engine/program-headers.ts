/** Where a program's segments are, for what changes a finished one. @see elf(5) */

// Fields by their distance from the beginning of the file header, in bytes.
const FILE = { programHeaders: 32, programHeaderCount: 56 };

/** Fields of a program header by their distance from its beginning, in bytes; and its size. */
export const SEGMENT = { type: 0, flags: 4, offset: 8, address: 16, fileSize: 32, alignment: 48, size: 56 } as const;

/** Types of segments. */
export const [PT_LOAD, PT_INTERP, PT_GNU_STACK] = [1, 3, 0x6474e551] as const;

/** What a program header says; sizes, addresses and offsets in bytes. */
export interface Segment {
  type: number;
  /** Bits: 1 execute, 2 write, 4 read. */
  flags: number;
  /** In the file. */
  offset: number;
  address: number;
  /** In the file and in memory. */
  size: number;
  alignment: number;
}

/** The program header of a segment. */
export function programHeader({ type, flags, offset, address, size, alignment }: Segment): Uint8Array {
  const bytes = new Uint8Array(SEGMENT.size);
  const view = new DataView(bytes.buffer);
  view.setUint32(SEGMENT.type, type, true);
  view.setUint32(SEGMENT.flags, flags, true);
  const words = [offset, address, address, size, size, alignment];
  words.forEach((value, index) => {
    view.setBigUint64(SEGMENT.offset + 8 * index, BigInt(value), true);
  });
  return bytes;
}

/**
 * Where the program headers are, in bytes from the beginning of the file.
 * @param view on a file of 64 bits, little-endian
 */
export function programHeaders(view: DataView): number[] {
  const first = word(view, FILE.programHeaders);
  const count = view.getUint16(FILE.programHeaderCount, true);
  return Array.from({ length: count }, (_, index) => first + index * SEGMENT.size);
}

/** A word of 64 bits, as a number. */
export function word(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}
