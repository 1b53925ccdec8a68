/**
 * Frees a program from libraries that are empty: glibc 2.34 has put all that was in libpthread and libdl into libc. To find, open, map
 * and close two such files takes 0.1 ms of each start.
 *
 * @see elf(5); System V ABI, "Dynamic Section"; Linux Standard Base, "Symbol Versioning"
 */
import { PT_DYNAMIC, PT_LOAD, programHeaders, SEGMENT, word } from "./program-headers.ts";

const EMPTY: ReadonlySet<string> = new Set(["libpthread.so.0", "libdl.so.2"]);
/** What has their contents now. */
const LIBC = "libc.so.6";

// Fields by their distance from the beginning of an entry, in bytes.
const ENTRY = { tag: 0, value: 8, size: 16 };
/** An entry of the table of needed versions. */
const VERSION = { file: 4, next: 12 };
const [DT_NULL, DT_NEEDED, DT_STRTAB, DT_VERNEED] = [0n, 1n, 5n, 0x6ffffffen];

/**
 * Has a program look in libc for what it would look for in the empty libraries; in place. Without libc it stays as it is.
 * @param file of 64 bits, little-endian
 */
export function mergeLibraries(file: Uint8Array): void {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const entries = dynamicEntries(view);
  const address = (tag: bigint) => entries.find((entry) => entry.tag === tag)?.value;
  const strings = placeOf(view, address(DT_STRTAB));
  if (strings === null) return;
  const nameOf = (offset: bigint) => textAt(file, strings + Number(offset));
  const libc = entries.find(({ tag, value }) => tag === DT_NEEDED && nameOf(value) === LIBC);
  if (libc === undefined) return;
  const kept = entries.filter(({ tag, value }) => tag !== DT_NEEDED || !EMPTY.has(nameOf(value)));
  entries.forEach(({ at }, index) => {
    const { tag, value } = kept[index] ?? { tag: DT_NULL, value: 0n };
    view.setBigUint64(at + ENTRY.tag, tag, true);
    view.setBigUint64(at + ENTRY.value, value, true);
  });
  for (let at = placeOf(view, address(DT_VERNEED)); at !== null; at = nextVersion(view, at)) {
    const name = nameOf(BigInt(view.getUint32(at + VERSION.file, true)));
    if (EMPTY.has(name)) view.setUint32(at + VERSION.file, Number(libc.value), true);
  }
}

interface DynamicEntry {
  /** Where it is in the file. */
  at: number;
  tag: bigint;
  value: bigint;
}

/** Up to the one that ends them. */
function dynamicEntries(view: DataView): DynamicEntry[] {
  const entries: DynamicEntry[] = [];
  const segment = programHeaders(view).find((at) => view.getUint32(at + SEGMENT.type, true) === PT_DYNAMIC);
  if (segment === undefined) return entries;
  for (let at = word(view, segment + SEGMENT.offset); ; at += ENTRY.size) {
    const tag = view.getBigUint64(at + ENTRY.tag, true);
    if (tag === DT_NULL) return entries;
    entries.push({ at, tag, value: view.getBigUint64(at + ENTRY.value, true) });
  }
}

function nextVersion(view: DataView, at: number): number | null {
  const distance = view.getUint32(at + VERSION.next, true);
  return distance === 0 ? null : at + distance;
}

/** Where in the file an address is. */
function placeOf(view: DataView, address: bigint | undefined): number | null {
  if (address === undefined) return null;
  for (const at of programHeaders(view)) {
    const distance = Number(address) - word(view, at + SEGMENT.address);
    const isLoaded = view.getUint32(at + SEGMENT.type, true) === PT_LOAD;
    if (isLoaded && distance >= 0 && distance < word(view, at + SEGMENT.fileSize)) {
      return word(view, at + SEGMENT.offset) + distance;
    }
  }
  return null;
}

function textAt(file: Uint8Array, at: number): string {
  return new TextDecoder().decode(file.subarray(at, file.indexOf(0, at)));
}
