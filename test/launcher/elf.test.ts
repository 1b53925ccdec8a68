import { describe, expect, it } from "vitest";
import { executable, layOut } from "../../src/launcher/elf.ts";

describe("layOut", () => {
  it("gives each piece an address of eight bytes' alignment, after a page for the code", () => {
    const { addresses, bytes } = layOut({ text: "abc", room: 9, last: Uint8Array.of(7) });
    expect(Object.fromEntries(addresses)).toEqual({ text: 0x401000, room: 0x401008, last: 0x401018 });
    expect([...bytes.slice(0, 8)]).toEqual([97, 98, 99, 0, 0, 0, 0, 0]);
    expect(bytes[0x18]).toBe(7);
  });
});

describe("executable", () => {
  const data = layOut({ one: "1" });
  const file = executable("x86_64", Uint8Array.of(0xc3), data);
  const view = new DataView(file.buffer);
  const segment = (index: number) => {
    const at = 64 + 56 * index;
    const word = (offset: number) => Number(view.getBigUint64(at + offset, true));
    return { type: view.getUint32(at, true), flags: view.getUint32(at + 4, true), address: word(16), size: word(32) };
  };

  it("starts at the code, which follows the headers", () => {
    const entry = Number(view.getBigUint64(24, true));
    expect(file[entry - 0x400000]).toBe(0xc3);
  });

  it.each([
    ["x86_64", 62],
    ["aarch64", 183],
  ] as const)("is one of %s", (machine, number) => {
    expect(new DataView(executable(machine, new Uint8Array(4), data).buffer).getUint16(18, true)).toBe(number);
  });

  it("has no memory that can be written and executed", () => {
    const [load, stack, execute, write, read] = [1, 0x6474e551, 1, 2, 4];
    expect([segment(0), segment(1), segment(2)]).toEqual([
      { type: load, flags: read | execute, address: 0x400000, size: 64 + 3 * 56 + 1 },
      { type: load, flags: read | write, address: 0x401000, size: 8 },
      { type: stack, flags: read | write, address: 0, size: 0 },
    ]);
  });

  it("refuses code that would reach into the data", () => {
    expect(() => executable("x86_64", new Uint8Array(4000), data)).toThrow(
      "the launcher's code is too long: 4000 bytes",
    );
  });
});
