import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { writeSome } from "../../src/sys/io.ts";
import { codeMappings, readReleasing } from "../../src/sys/memory.ts";
import { pipe } from "../../src/sys/spawn.ts";

const MAPS = `\
00200000-00400000 r--p 00000000 00:21 4242      /
00408000-00600000 r-xp 00200000 00:21 4242      /
00600000-00680000 r--p 00400000 00:21 4242      /
00680000-00700000 rw-p 00480000 00:21 4242      /
00700000-00800000 r--p 00000000 00:00 0
7f0000000000-7f0000001000 r--s 00000000 08:01 7 /shared
7ffd00000000-7ffd00001000 r-xp 00000000 00:00 0 [vdso]
`;

describe("codeMappings", () => {
  it("takes code, and the constants right before it, but not those that relocations were written to", () => {
    expect(codeMappings(MAPS)).toEqual([
      { start: 0x200000n, end: 0x400000n },
      { start: 0x408000n, end: 0x600000n },
    ]);
  });
});

describe("readReleasing", () => {
  it("reads, and takes pages out of this process's memory, which goes on all the same", () => {
    const fileBacked = () => Number(/^RssFile:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
    const [reader, writer] = pipe();
    using _ = reader;
    using __ = writer;
    expect(writeSome(writer.number, Uint8Array.of(42))).toBe(1);
    const byte = new Uint8Array(1);
    const before = fileBacked();
    expect(readReleasing(reader.number, byte, codeMappings())).toBe(1);
    expect(byte[0]).toBe(42);
    expect(fileBacked()).toBeLessThan(before / 2);
  });

  it("says why it could not read", () => {
    const EBADF = 9;
    expect(readReleasing(-1, new Uint8Array(1), [])).toBe(-EBADF);
  });
});
