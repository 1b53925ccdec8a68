/**
 * Moves an executable's segments in its file so that the kernel can map them by huge pages: a tenth of the time of a start is
 * page faults for the engine's code, 64 KiB each, and 2 MiB are mapped as fast.
 *
 * It can where the page cache holds a file in huge pages, and where an address and its place in the file are alike, but for
 * multiples of their size. Linkers see to the latter for ordinary pages only.
 *
 * @see elf(5)
 */
import { PT_LOAD, programHeaders, SEGMENT, word } from "./elf.ts";

/** Of x86_64, and of aarch64 with pages of 4 KiB; in bytes. */
const HUGE_PAGE = 0x200000;
const PAGE = 0x1000;

// Fields by their distance from the beginning of the file header and a section header, in bytes.
const FILE = { type: 16, sectionHeaders: 40, sectionHeaderCount: 60 };
const SECTION = { offset: 24, size: 64 };
const ET_DYN = 3;
const WRITABLE = 2;

/** Bytes from one place of the file to the next such place move by the same distance, in bytes. */
interface Move {
  from: number;
  by: number;
}

/**
 * Aligns the segments that are not written to.
 * @param file of 64 bits, little-endian
 */
export function alignToHugePages(file: Uint8Array): Uint8Array {
  const moves = planMoves(file);
  // Memory that was never written to, as between the segments, would have the kernel write the file in smaller pieces.
  const result = new Uint8Array(file.length + (moves.at(-1)?.by ?? 0)).fill(0);
  moves.forEach(({ from, by }, index) => {
    // A page that holds the end of one segment and the beginning of the next is mapped for both.
    const start = from - (from % PAGE);
    result.set(file.subarray(start, moves[index + 1]?.from), start + by);
  });
  const view = new DataView(result.buffer);
  const moved = (at: number) => {
    const place = word(view, at);
    view.setBigUint64(at, BigInt(place + distance(moves, place)), true);
  };
  moved(FILE.sectionHeaders);
  const isRelocatable = view.getUint16(FILE.type, true) === ET_DYN;
  for (const at of programHeaders(view)) {
    moved(at + SEGMENT.offset);
    // Where the kernel chooses the address it keeps to the largest alignment.
    if (isRelocatable && isShared(view, at)) view.setBigUint64(at + SEGMENT.alignment, BigInt(HUGE_PAGE), true);
  }
  const sections = word(view, FILE.sectionHeaders);
  const count = view.getUint16(FILE.sectionHeaderCount, true);
  for (let index = 0; index < count; index++) moved(sections + index * SECTION.size + SECTION.offset);
  return result;
}

function planMoves(file: Uint8Array): Move[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const moves: Move[] = [{ from: 0, by: 0 }];
  let by = 0;
  for (const at of programHeaders(view)) {
    const from = word(view, at + SEGMENT.offset);
    // The headers stay where they are.
    if (from === 0 || !isShared(view, at)) continue;
    const address = word(view, at + SEGMENT.address);
    // By whole pages, since the linker has seen to those.
    by += (((address - from - by) % HUGE_PAGE) + HUGE_PAGE) % HUGE_PAGE;
    moves.push({ from, by });
  }
  return moves;
}

/** Whether all processes may share the segment's pages. */
function isShared(view: DataView, segment: number): boolean {
  const isLoaded = view.getUint32(segment + SEGMENT.type, true) === PT_LOAD;
  return isLoaded && (view.getUint32(segment + SEGMENT.flags, true) & WRITABLE) === 0;
}

function distance(moves: readonly Move[], place: number): number {
  return moves.findLast(({ from }) => from <= place)?.by ?? 0;
}
