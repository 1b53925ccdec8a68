/** Where a program's segments are, for what changes a finished one. @see elf(5) */

// Fields by their distance from the beginning of the file header, in bytes.
const FILE = { programHeaders: 32, programHeaderCount: 56 };

/** Fields of a program header by their distance from its beginning, in bytes; and its size. */
export const SEGMENT = { type: 0, flags: 4, offset: 8, address: 16, fileSize: 32, alignment: 48, size: 56 } as const;

/** Types of segments. */
export const [PT_LOAD, PT_DYNAMIC] = [1, 2] as const;

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
