/**
 * The maps of sparse files, in the four forms that GNU tar has written: where the data of the archive belongs in the file.
 * @see GNU tar manual, "Storing Sparse Files"
 */
import type { ByteReader } from "./byte-source.ts";
import { LayerError } from "./layer-error.ts";
import { type PaxRecord, paxNumber } from "./pax.ts";
import { BLOCK, numberField } from "./tar-fields.ts";

/** A part of a file that has data: from a byte on, so many. The rest are holes. */
export interface SparsePart {
  offset: number;
  length: number;
}

/** More parts than any file in an image has. */
const MOST_PARTS = 1 << 20;

/** The old GNU form, typeflag `S`: parts in the header, more in blocks after it. @returns parts and the file's size */
export function readOldGnuMap(header: Uint8Array, reader: ByteReader): { parts: SparsePart[]; size: number } {
  const [HEADER_PARTS, BLOCK_PARTS] = [4, 21];
  const [HEADER_AT, HEADER_MORE, SIZE_AT, BLOCK_MORE] = [386, 482, 483, 504];
  const parts: SparsePart[] = [];
  const size = numberField(header, { at: SIZE_AT, length: 12 }, "the size of a sparse file");
  addParts(parts, header, HEADER_AT, HEADER_PARTS);
  for (let more = header[HEADER_MORE]; more !== 0; ) {
    const block = reader.exactly(BLOCK);
    if (block === null) throw new LayerError("the archive ends in the map of a sparse file");
    addParts(parts, block, 0, BLOCK_PARTS);
    more = block[BLOCK_MORE];
  }
  return { parts, size };
}

function addParts(parts: SparsePart[], block: Uint8Array, from: number, count: number): void {
  for (let at = from; at < from + count * 24; at += 24) {
    if (block[at] === 0) return;
    const offset = numberField(block, { at, length: 12 }, "an offset of a sparse file");
    const length = numberField(block, { at: at + 12, length: 12 }, "a length of a sparse file");
    parts.push({ offset, length });
    refuseTooMany(parts.length);
  }
}

/**
 * PAX forms 0.0, a pair of records a part, and 0.1, all in one record.
 * @returns `null` when the records have none
 */
export function paxMap(records: readonly PaxRecord[]): SparsePart[] | null {
  const inOne = records.findLast(({ keyword }) => keyword === "GNU.sparse.map");
  if (inOne !== undefined) return pairs(inOne.value === "" ? [] : inOne.value.split(","));
  const numbers: string[] = [];
  for (const { keyword, value } of records) {
    if (keyword === "GNU.sparse.offset" || keyword === "GNU.sparse.numbytes") {
      const isOffset = numbers.length % 2 === 0;
      if (isOffset !== (keyword === "GNU.sparse.offset"))
        throw new LayerError("the map of a sparse file is out of order");
      numbers.push(value);
    }
  }
  const declared = records.findLast(({ keyword }) => keyword === "GNU.sparse.numblocks");
  if (numbers.length === 0 && declared === undefined) return null;
  return pairs(numbers);
}

/** PAX form 1.0: numbers before the data, a line each, the count first, up to the end of a block. */
export function readPaxMapOfData(reader: ByteReader): { parts: SparsePart[]; bytes: number } {
  const lines: string[] = [];
  let bytes = 0;
  let rest = "";
  let wanted = 1;
  while (lines.length < wanted) {
    const block = reader.exactly(BLOCK);
    if (block === null) throw new LayerError("the archive ends in the map of a sparse file");
    bytes += BLOCK;
    const found = (rest + Buffer.from(block).toString("latin1")).split("\n");
    rest = found.pop() as string;
    if (rest.length > 32 && !rest.startsWith("\0"))
      throw new LayerError("the map of a sparse file has a line that is no number");
    for (const line of found) lines.push(line);
    const count = mapNumber(lines[0] ?? "0");
    refuseTooMany(count);
    wanted = 1 + 2 * count;
  }
  return { parts: pairs(lines.slice(1, wanted)), bytes };
}

function pairs(numbers: readonly string[]): SparsePart[] {
  if (numbers.length % 2 !== 0) throw new LayerError("the map of a sparse file has an offset without a length");
  refuseTooMany(numbers.length / 2);
  const parts: SparsePart[] = [];
  for (let index = 0; index < numbers.length; index += 2) {
    parts.push({ offset: mapNumber(numbers[index] as string), length: mapNumber(numbers[index + 1] as string) });
  }
  return parts;
}

function mapNumber(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number)) {
    throw new LayerError(`the map of a sparse file has ${JSON.stringify(text.slice(0, 40))} where a number is due`);
  }
  return number;
}

function refuseTooMany(count: number): void {
  if (count > MOST_PARTS) throw new LayerError(`a sparse file has more than ${MOST_PARTS} parts`);
}

/**
 * Checks a map against the file.
 * @param stored bytes that the archive has of it
 * @throws {LayerError} for parts out of order, over each other or beyond the file, or that are not what is stored
 */
export function checkMap(parts: readonly SparsePart[], size: number, stored: number): void {
  let end = 0;
  let sum = 0;
  for (const { offset, length } of parts) {
    if (offset < end || offset + length > size) {
      throw new LayerError(
        `a sparse file of ${size} bytes has a part at ${offset} of ${length} bytes, after one that ends at ${end}`,
      );
    }
    end = offset + length;
    sum += length;
  }
  if (sum !== stored) throw new LayerError(`a sparse file's parts have ${sum} bytes, and the archive has ${stored}`);
}

/** The size that PAX records give a sparse file. */
export function paxSparseSize(records: readonly PaxRecord[]): number | null {
  const record = records.findLast(({ keyword }) => keyword === "GNU.sparse.realsize" || keyword === "GNU.sparse.size");
  return record === undefined ? null : paxNumber(record);
}
