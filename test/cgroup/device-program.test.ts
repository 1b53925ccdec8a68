import { describe, expect, test } from "vitest";
import { assembleDeviceProgram } from "../../src/cgroup/device-program.ts";
import { type DeviceFilter, parseDevicesList } from "../../src/cgroup/devices.ts";

/** Runs a program as the kernel would, as far as device programs go. @returns R0 */
function interpret(program: Buffer, accessType: number, major: number, minor: number): number {
  const context = [accessType, major, minor];
  const registers: number[] = [];
  for (let at = 0, steps = 0; ; at++) {
    if (++steps > program.byteLength / 8) throw new Error("the program goes in circles");
    const op = program.readUInt8(8 * at);
    const dst = program.readUInt8(8 * at + 1) & 0xf;
    const src = program.readUInt8(8 * at + 1) >> 4;
    const offset = program.readInt16LE(8 * at + 2);
    const constant = program.readInt32LE(8 * at + 4);
    const left = registers[dst] ?? 0;
    const right = registers[src] ?? 0;
    if (op === 0x61) registers[dst] = context[offset / 4] as number;
    else if (op === 0x54) registers[dst] = (left & constant) >>> 0;
    else if (op === 0x74) registers[dst] = left >>> constant;
    else if (op === 0xb4) registers[dst] = constant >>> 0;
    else if (op === 0xbc) registers[dst] = right;
    else if (op === 0x16) at += left === constant >>> 0 ? offset : 0;
    else if (op === 0x56) at += left !== constant >>> 0 ? offset : 0;
    else if (op === 0x5e) at += left !== right ? offset : 0;
    else if (op === 0x95) return left;
    else throw new Error(`unknown instruction ${op.toString(16)} at ${at}`);
  }
}

function allows(filter: DeviceFilter, type: "b" | "c", major: number, minor: number, access: string): boolean {
  const bits = { m: 1, r: 2, w: 4 } as const;
  const requested = [...access].reduce((sum, letter) => sum | bits[letter as keyof typeof bits], 0);
  const accessType = ((requested << 16) | (type === "b" ? 1 : 2)) >>> 0;
  return interpret(assembleDeviceProgram(filter), accessType, major, minor) === 1;
}

describe("an allow list", () => {
  const filter = parseDevicesList("c 1:3 rwm\nc 136:* rw\nb *:* m\nc 4294967295:7 r\n");

  test.each<["b" | "c", number, number, string, boolean]>([
    ["c", 1, 3, "rw", true],
    ["c", 1, 3, "m", true],
    ["b", 1, 3, "r", false],
    ["c", 1, 4, "r", false],
    ["c", 136, 12345, "rw", true],
    ["c", 136, 0, "m", false],
    ["b", 8, 16, "m", true],
    ["b", 8, 16, "mr", false],
    ["c", 4294967295, 7, "r", true],
    ["c", 4294967295, 7, "w", false],
  ])("%s %i:%i %s: %s", (type, major, minor, access, expected) => {
    expect(allows(filter, type, major, minor, access)).toBe(expected);
  });
});

describe("a deny list", () => {
  const filter: DeviceFilter = {
    allowByDefault: true,
    exceptions: new Map([
      ["c 10:*", { type: "c", major: 10, minor: null, access: 7 }],
      ["b 8:0", { type: "b", major: 8, minor: 0, access: 4 }],
    ]),
  };

  test.each<["b" | "c", number, number, string, boolean]>([
    ["c", 1, 3, "rwm", true],
    ["c", 10, 200, "r", false],
    ["b", 8, 0, "r", true],
    ["b", 8, 0, "w", false],
  ])("%s %i:%i %s: %s", (type, major, minor, access, expected) => {
    expect(allows(filter, type, major, minor, access)).toBe(expected);
  });

  test("a request for more than what is denied is denied too", () => {
    expect(allows(filter, "b", 8, 0, "rw")).toBe(false);
  });
});

test("a filter without exceptions is its default", () => {
  expect(allows({ allowByDefault: true, exceptions: new Map() }, "c", 1, 2, "rwm")).toBe(true);
  expect(allows({ allowByDefault: false, exceptions: new Map() }, "c", 1, 2, "r")).toBe(false);
});
