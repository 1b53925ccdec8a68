/** The encodings: those of the manuals, which GNU as, capstone and their like read back as what is named here. */
import { describe, expect, it } from "vitest";
import { Arm64Assembler } from "../../src/engine/aarch64.ts";
import type { Assembler } from "../../src/engine/assembler.ts";
import { buildLauncher } from "../../src/engine/build.ts";
import { SYSCALL_NUMBERS } from "../../src/engine/syscall-numbers.ts";
import { X86Assembler } from "../../src/engine/x86-64.ts";

/** Distance of the data from the first instruction. */
const data = new Map([["data", 0x1010]]);

type Write = (machine: Assembler) => void;

/** The bytes of x86_64, in hexadecimal. */
function x86(write: Write): string {
  const machine = new X86Assembler(SYSCALL_NUMBERS.x86_64);
  write(machine);
  return Buffer.from(machine.assemble(data)).toString("hex");
}

/** The words of aarch64, in hexadecimal. */
function arm(write: Write): string[] {
  const machine = new Arm64Assembler(SYSCALL_NUMBERS.aarch64);
  write(machine);
  const words = new Uint32Array(machine.assemble(data).buffer);
  return [...words].map((word) => word.toString(16).padStart(8, "0"));
}

describe.each<[string, Write, string, string[]]>([
  ["set a number", (m) => m.set("a", 7), "48c7c307000000", ["d28000f3", "f2a00013"]],
  ["set a negative number", (m) => m.set("c", -100), "49c7c49cffffff", ["92800c75", "f2bffff5"]],
  ["set an address", (m) => m.set("b", { address: "data" }), "488d2d09100000", ["10008094"]],
  ["copy", (m) => m.copy("a", "f"), "4c89fb", ["aa1803f3"]],
  ["copy to itself", (m) => m.copy("a", "a"), "4889db", []],
  ["add a register", (m) => m.add("d", "a"), "4901dd", ["8b1302d6"]],
  ["add a number", (m) => m.add("a", -8), "4883c3f8", ["928000e9", "f2bfffe9", "8b090273"]],
  ["add a larger number", (m) => m.add("a", -200), "4881c338ffffff", ["928018e9", "f2bfffe9", "8b090273"]],
  ["and", (m) => m.and("e", "d"), "4d21ee", ["8a1602f7"]],
  ["shift right", (m) => m.shiftRight("a", 4), "48c1eb04", ["d344fe73"]],
  ["load a byte", (m) => m.load("f", "a", 1, 1), "440fb6bb01000000", ["39400678"]],
  ["load four bytes by r12", (m) => m.load("result", "c", 4, 4), "418b842404000000", ["b94006a0"]],
  ["load eight bytes", (m) => m.load("a", "b", 8, 8), "488b9d08000000", ["f9400693"]],
  ["store a byte", (m) => m.store("f", "c", 0, 1), "4588bc2400000000", ["390002b8"]],
  ["store eight bytes", (m) => m.store("result", "f", 0, 8), "49898700000000", ["f9000300"]],
  ["get the stack pointer", (m) => m.getStack("a"), "4889e3", ["910003f3"]],
  [
    "make a system call",
    (m) => m.syscall("write", 2, "a", { address: "data" }),
    "48c7c702000000" + "4889de" + "488d15ff0f0000" + "48c7c001000000" + "0f05",
    ["d2800040", "f2a00000", "aa1303e1", "10008022", "d2800808", "f2a00008", "d4000001"],
  ],
])("%s", (_, write, bytes, words) => {
  it("on x86_64", () => expect(x86(write)).toBe(bytes));
  it("on aarch64", () => expect(arm(write)).toEqual(words));
});

describe("jumps", () => {
  const backwards: Write = (m) => {
    m.label("here");
    m.jump("here");
  };
  const forwards: Write = (m) => {
    m.jumpIf("negative", "b", "there");
    m.jumpIf("zero", "a", "there");
    m.jumpIf("not zero", "a", "there");
    m.jumpIfEqual("d", "b", "there");
    m.label("there");
  };

  it("go backwards", () => {
    expect(x86(backwards)).toBe("e9fbffffff");
    expect(arm(backwards)).toEqual(["14000000"]);
  });

  it("go forwards, on a condition", () => {
    const [negative, zero, notZero, equal] = ["0f881b000000", "0f8412000000", "0f8509000000", "0f8400000000"];
    expect(x86(forwards)).toBe(`4885ed${negative}4885db${zero}4885db${notZero}4939ed${equal}`);
    expect(arm(forwards)).toEqual(["b7f800b4", "b4000093", "b5000073", "eb1402df", "54000020"]);
  });

  it("need their label", () => {
    expect(() => x86((m) => m.jump("nowhere"))).toThrow("nowhere is not defined");
    expect(() => arm((m) => m.set("a", { address: "nothing" }))).toThrow("nothing is not defined");
  });

  it("cannot be told from data of the same name", () => {
    const write: Write = (m) => {
      m.label("data");
      m.set("a", { address: "data" });
    };
    expect(() => x86(write)).toThrow("data is a label and data");
  });
});

it("a system call of words, on x86_64", () => {
  const machine = new X86Assembler(SYSCALL_NUMBERS.x86_64);
  machine.syscallWith("a");
  expect(Buffer.from(machine.assemble(data)).toString("hex")).toBe(
    "488b8300000000" +
      "488bbb08000000" +
      "488bb310000000" +
      "488b9318000000" +
      "4c8b9320000000" +
      "4c8b8328000000" +
      "4c8b8b30000000" +
      "0f05",
  );
});

describe.each(["x86_64", "aarch64"] as const)("on %s", (machine) => {
  it("the launcher brings settings along, but for a snapshot, which has started already", () => {
    const settings = "BUN_JSC_useJIT=0";
    expect(Buffer.from(buildLauncher(machine)).includes(settings)).toBe(true);
    const withoutThem = buildLauncher(machine, "snapshot");
    expect(Buffer.from(withoutThem).includes("sealed")).toBe(true);
    expect(Buffer.from(withoutThem).includes(settings)).toBe(false);
  });
});
