import { describe, expect, it } from "vitest";
import { executable, layOut, machineOf } from "../../src/engine/elf.ts";

const [EXECUTE, WRITE, READ] = [1, 2, 4];
const [LOAD, STACK] = [1, 0x6474e551];
/** 64 bytes of ELF header, and room for three program headers. */
const ENTRY = 64 + 3 * 56;

function segments(file: Uint8Array) {
  const view = new DataView(file.buffer, file.byteOffset);
  return Array.from({ length: view.getUint16(56, true) }, (_, index) => {
    const at = 64 + 56 * index;
    const word = (offset: number) => Number(view.getBigUint64(at + offset, true));
    return { type: view.getUint32(at, true), flags: view.getUint32(at + 4, true), address: word(16), size: word(32) };
  });
}

describe("layOut", () => {
  it("gives each piece its distance from the code, which has the page before, aligned to eight bytes", () => {
    const { addresses, bytes } = layOut("x86_64", { text: "abc", room: 9, last: Uint8Array.of(7) });
    const data = 4096 - ENTRY;
    expect(Object.fromEntries(addresses)).toEqual({ text: data, room: data + 8, last: data + 24 });
    expect([...bytes.slice(0, 8)]).toEqual([97, 98, 99, 0, 0, 0, 0, 0]);
    expect(bytes[24]).toBe(7);
  });

  it("leaves the largest page that the architecture knows to the code", () => {
    expect(layOut("aarch64", { one: "1" }).addresses.get("one")).toBe(0x10000 - ENTRY);
  });
});

describe("executable", () => {
  const data = layOut("x86_64", { one: "1" });
  const file = executable("x86_64", Uint8Array.of(0xc3), data);
  const view = new DataView(file.buffer);

  it("starts at the code, which follows the headers", () => {
    expect(Number(view.getBigUint64(24, true))).toBe(0x400000 + ENTRY);
    expect(file[ENTRY]).toBe(0xc3);
  });

  it.each([
    ["x86_64", 62],
    ["aarch64", 183],
  ] as const)("is one of %s", (machine, number) => {
    expect(new DataView(executable(machine, new Uint8Array(4), layOut(machine, {})).buffer).getUint16(18, true)).toBe(
      number,
    );
  });

  it.each(["x86_64", "aarch64"] as const)("says that it is one of %s", (machine) => {
    const file = executable(machine, new Uint8Array(4), layOut(machine, {}));
    expect(machineOf(new DataView(file.buffer))).toBe(machine);
  });

  it("of another machine is refused", () => {
    const riscv = executable("aarch64", new Uint8Array(4), layOut("aarch64", {}));
    riscv[18] = 243;
    expect(() => machineOf(new DataView(riscv.buffer))).toThrow("its e_machine is 243");
  });

  it("has no memory that can be written and executed", () => {
    expect(segments(file)).toEqual([
      { type: LOAD, flags: READ | EXECUTE, address: 0x400000, size: ENTRY + 1 },
      { type: LOAD, flags: READ | WRITE, address: 0x401000, size: 8 },
      { type: STACK, flags: READ | WRITE, address: 0, size: 0 },
    ]);
  });

  it("refuses code that would reach into the data", () => {
    expect(() => executable("x86_64", new Uint8Array(4000), data)).toThrow(
      "the code is longer than a page: 4000 bytes",
    );
  });
});
