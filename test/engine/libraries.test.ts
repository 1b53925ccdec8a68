import { expect, test } from "vitest";
import { mergeLibraries } from "../../src/engine/libraries.ts";

const BASE = 0x1000;
const [DYNAMIC, STRINGS, VERSIONS, END] = [0x100, 0x200, 0x300, 0x400];

/** A program that needs libraries, and versions of each. */
function program(libraries: readonly string[]): Uint8Array {
  const file = new Uint8Array(END);
  const view = new DataView(file.buffer);
  const word = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
  word(32, 64);
  view.setUint16(56, 2, true);
  const segment = (at: number, type: number, offset: number, size: number) => {
    view.setUint32(at, type, true);
    word(at + 8, offset);
    word(at + 16, BASE + offset);
    word(at + 32, size);
  };
  segment(64, 1, 0, END);
  segment(120, 2, DYNAMIC, 0x100);
  const names = libraries.map((_, index) => libraries.slice(0, index).join("\0").length + (index === 0 ? 0 : 1));
  file.set(new TextEncoder().encode(`${libraries.join("\0")}\0`), STRINGS);
  const entries = [...names.map((name) => [1, name]), [5, BASE + STRINGS], [0x6ffffffe, BASE + VERSIONS], [21, 7]];
  entries.forEach(([tag = 0, value = 0], index) => {
    word(DYNAMIC + 16 * index, tag);
    word(DYNAMIC + 16 * index + 8, value);
  });
  names.forEach((name, index) => {
    view.setUint32(VERSIONS + 16 * index + 4, name, true);
    view.setUint32(VERSIONS + 16 * index + 12, index === names.length - 1 ? 0 : 16, true);
  });
  return file;
}

function read(file: Uint8Array) {
  const view = new DataView(file.buffer);
  const text = (offset: number) =>
    new TextDecoder().decode(file.subarray(STRINGS + offset, file.indexOf(0, STRINGS + offset)));
  const tags: number[] = [];
  const needed: string[] = [];
  for (let at = DYNAMIC; view.getBigUint64(at, true) !== 0n; at += 16) {
    const tag = Number(view.getBigUint64(at, true));
    if (tag === 1) needed.push(text(Number(view.getBigUint64(at + 8, true))));
    else tags.push(tag);
  }
  const versions: string[] = [];
  for (let at = VERSIONS; ; at += 16) {
    versions.push(text(view.getUint32(at + 4, true)));
    if (view.getUint32(at + 12, true) === 0) return { tags, needed, versions };
  }
}

test("a program needs the empty libraries no more, and finds in libc what it wanted of them", () => {
  const file = program(["libpthread.so.0", "libc.so.6", "libdl.so.2", "libm.so.6"]);
  mergeLibraries(file);
  expect(read(file)).toEqual({
    tags: [5, 0x6ffffffe, 21],
    needed: ["libc.so.6", "libm.so.6"],
    versions: ["libc.so.6", "libc.so.6", "libc.so.6", "libm.so.6"],
  });
});

test.each([[["libpthread.so.0", "libm.so.6"]], [["libc.so.6", "libm.so.6"]]])("%j stays as it is", (libraries) => {
  const file = program(libraries);
  mergeLibraries(file);
  expect(file).toEqual(program(libraries));
});
