/** Giving back memory that is not needed for a while. */

import { syscall, syscallSeries } from "./ffi.ts";
import { readText } from "./file.ts";

/** A part of this process's memory: from `start` to before `end`, addresses in bytes. */
export interface MemoryRange {
  start: bigint;
  end: bigint;
}

/**
 * The code of this process's files, and the constants before it: what the kernel can read again at any time. A file's
 * constants after the code, the linker's relocations among them, were written to before they were made read-only.
 * @param maps the text of `/proc/self/maps`
 * @see proc_pid_maps(5)
 */
export function codeMappings(maps: string = readText("/proc/self/maps")): MemoryRange[] {
  const ranges: MemoryRange[] = [];
  // start-end, permissions, offset, device, inode; the inode is 0 where there is no file
  const mappings = maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ ([1-9]\d*)/gm);
  let before = null as (MemoryRange & { inode: string }) | null;
  for (const [, start, end, permissions, inode = ""] of mappings) {
    const range = { start: BigInt(`0x${start}`), end: BigInt(`0x${end}`) };
    if (permissions === "r-xp") {
      if (before?.inode === inode) ranges.push({ start: before.start, end: before.end });
      ranges.push(range);
    }
    before = permissions === "r--p" ? { ...range, inode } : null;
  }
  return ranges;
}

/** There is room for a few more calls in a series; the engine and its libraries have a dozen. */
const MOST_RANGES = 20;

/**
 * Lets go of pages that can be read again, and waits for something to read: it is only afterwards that the engine uses the first of
 * them again.
 * @returns as read(2) does: the number of bytes, or `-errno`
 * @see madvise(2), MADV_DONTNEED
 */
export function readReleasing(fd: number, memory: Uint8Array, ranges: readonly MemoryRange[]): number {
  if (ranges.length === 0) return syscall("read", fd, memory, memory.byteLength);
  const MADV_DONTNEED = 4;
  const first = ranges.slice(0, MOST_RANGES);
  const results = syscallSeries([
    ...first.map(({ start, end }) => ["madvise", start, end - start, MADV_DONTNEED] as const),
    ["read", fd, memory, memory.byteLength],
  ]);
  return results.at(-1) as number;
}
