import { describe, expect, it } from "vitest";
import { alignToHugePages } from "../../src/engine/align.ts";
import type { Segment } from "../../src/engine/elf.ts";

const HUGE_PAGE = 0x200000;
const [READ, CODE, DATA] = [4, 5, 6];
const LOAD = 1;

/** A file of three pages: constants and code share the second, code and data the third; one section header at the end. */
const original: Segment[] = [
  { type: LOAD, flags: READ, offset: 0, address: 0x400000, size: 0x1800, alignment: 0x1000 },
  { type: LOAD, flags: CODE, offset: 0x1800, address: 0x409800, size: 0x1000, alignment: 0x1000 },
  { type: LOAD, flags: DATA, offset: 0x2800, address: 0x40b800, size: 0x700, alignment: 0x1000 },
];
const SECTION_HEADERS = 0x2f00;

function elf(type: number): Uint8Array {
  const file = new Uint8Array(0x3000);
  // Each byte tells its place.
  for (let at = 0x200; at < SECTION_HEADERS; at++) file[at] = (at >> 4) & 0xff;
  const view = new DataView(file.buffer);
  view.setUint16(16, type, true);
  view.setBigUint64(32, 64n, true);
  view.setBigUint64(40, BigInt(SECTION_HEADERS), true);
  view.setUint16(56, original.length, true);
  view.setUint16(60, 1, true);
  original.forEach((segment, index) => {
    const at = 64 + 56 * index;
    view.setUint32(at, segment.type, true);
    view.setUint32(at + 4, segment.flags, true);
    view.setBigUint64(at + 8, BigInt(segment.offset), true);
    view.setBigUint64(at + 16, BigInt(segment.address), true);
    view.setBigUint64(at + 32, BigInt(segment.size), true);
    view.setBigUint64(at + 48, BigInt(segment.alignment), true);
  });
  view.setBigUint64(SECTION_HEADERS + 24, 0x2800n, true);
  return file;
}

function read(file: Uint8Array) {
  const view = new DataView(file.buffer);
  const word = (at: number) => Number(view.getBigUint64(at, true));
  const segments = original.map((_, index) => {
    const at = 64 + 56 * index;
    return { offset: word(at + 8), address: word(at + 16), size: word(at + 32), alignment: word(at + 48) };
  });
  return { segments, sectionOffset: word(word(40) + 24) };
}

describe.each([
  ["of fixed addresses", 2],
  ["at an address that the kernel chooses", 3],
] as const)("alignToHugePages, a program %s", (_, type) => {
  const before = elf(type);
  const after = alignToHugePages(before);
  const { segments, sectionOffset } = read(after);

  it("makes places and addresses alike, but for multiples of a huge page, where nothing is written", () => {
    for (const { offset, address } of segments.slice(0, 2)) expect((address - offset) % HUGE_PAGE).toBe(0);
  });

  it("and of a page elsewhere", () => {
    const [, , { offset, address } = { offset: 0, address: 1 }] = segments;
    expect((address - offset) % 0x1000).toBe(0);
  });

  it("keeps the segments' contents and addresses", () => {
    segments.forEach(({ offset, address, size }, index) => {
      const was = original[index] as Segment;
      expect({ address, size }).toEqual({ address: was.address, size: was.size });
      // The headers, at the very beginning, are what changes.
      const from = Math.max(was.offset, 0x200);
      const bytes = after.slice(offset + from - was.offset, offset + size);
      expect(bytes).toEqual(before.slice(from, was.offset + size));
    });
  });

  it("keeps the whole pages that the segments begin in", () => {
    const [, code, data] = segments;
    expect(after[(code?.offset ?? 0) - 0x700]).toBe(before[0x1800 - 0x700]);
    expect(after[(data?.offset ?? 0) - 0x700]).toBe(before[0x2800 - 0x700]);
  });

  it("has the sections follow", () => {
    expect(sectionOffset).toBe(segments[2]?.offset);
  });

  it(`${type === 3 ? "asks" : "need not ask"} the kernel for the alignment`, () => {
    const expected = type === 3 ? HUGE_PAGE : 0x1000;
    expect(segments.map(({ alignment }) => alignment)).toEqual([expected, expected, 0x1000]);
  });
});
