/** Machine code of aarch64. @see Arm Architecture Reference Manual for A-profile, "A64 Base Instruction Descriptions" */

import {
  type Argument,
  type Assembler,
  Code,
  type Condition,
  type Constant,
  type Register,
  type Width,
} from "./assembler.ts";
import type { SyscallName } from "./syscall-numbers.ts";

/** Numbers of the registers: x0; x19 to x24. */
const NUMBERS: Record<Register, number> = { result: 0, a: 19, b: 20, c: 21, d: 22, e: 23, f: 24 };
/** The number of a system call. */
const X8 = 8;
/** For values on their way. */
const SCRATCH = 9;
const SP = 31;

const LOADS: Record<Width, number> = { 1: 0x39400000, 4: 0xb9400000, 8: 0xf9400000 };
const STORES: Record<Width, number> = { 1: 0x39000000, 4: 0xb9000000, 8: 0xf9000000 };

/** How far the field of a jump is from the lowest bit, and how many bits it has. */
interface JumpField {
  shift: number;
  bits: number;
}

const CONDITIONS: Record<Condition, JumpField & { opcode: number }> = {
  zero: { opcode: 0xb4000000, shift: 5, bits: 19 }, // cbz
  "not zero": { opcode: 0xb5000000, shift: 5, bits: 19 }, // cbnz
  negative: { opcode: 0xb7f80000, shift: 5, bits: 14 }, // tbnz of bit 63
};

/** Assembles for aarch64. */
export class Arm64Assembler extends Code implements Assembler {
  constructor(private readonly syscalls: Readonly<Record<SyscallName, number>>) {
    super();
  }

  set(to: Register, value: Constant): void {
    this.#set(NUMBERS[to], value);
  }

  copy(to: Register, from: Register): void {
    this.#copy(NUMBERS[to], NUMBERS[from]);
  }

  add(to: Register, value: Register | number): void {
    this.#three(0x8b000000, NUMBERS[to], this.#operand(value));
  }

  and(to: Register, value: Register): void {
    this.#three(0x8a000000, NUMBERS[to], NUMBERS[value]);
  }

  shiftRight(register: Register, bits: number): void {
    const number = NUMBERS[register];
    this.word(0xd340fc00 | (bits << 16) | (number << 5) | number);
  }

  load(to: Register, address: Register, offset: number, width: Width): void {
    this.word(LOADS[width] | ((offset / width) << 10) | (NUMBERS[address] << 5) | NUMBERS[to]);
  }

  store(from: Register, address: Register, offset: number, width: Width): void {
    this.word(STORES[width] | ((offset / width) << 10) | (NUMBERS[address] << 5) | NUMBERS[from]);
  }

  jump(label: string): void {
    this.#relative(0x14000000, { shift: 0, bits: 26 }, label);
  }

  jumpIf(condition: Condition, register: Register, label: string): void {
    const { opcode, ...field } = CONDITIONS[condition];
    this.#relative(opcode | NUMBERS[register], field, label);
  }

  jumpIfEqual(one: Register, other: Register, label: string): void {
    this.word(0xeb00001f | (NUMBERS[other] << 16) | (NUMBERS[one] << 5)); // cmp
    this.#relative(0x54000000, { shift: 5, bits: 19 }, label);
  }

  syscall(name: SyscallName, ...args: readonly Argument[]): void {
    this.#pass(args);
    this.#set(X8, this.syscalls[name]);
    this.word(0xd4000001); // svc #0
  }

  getStack(to: Register): void {
    // The move that knows the stack pointer: add to, sp, #0
    this.word(0x91000000 | (SP << 5) | NUMBERS[to]);
  }

  /** A number by two moves, an address by adr. */
  #set(to: number, value: Constant): void {
    if (typeof value === "number") {
      for (const instruction of moves(to, value)) this.word(instruction);
      return;
    }
    this.fix({
      at: this.length,
      name: value.address,
      write: (code, at, address) => code.setUint32(at, adr(to, address - at), true),
    });
    this.word(0);
  }

  #pass(args: readonly Argument[]): void {
    args.forEach((argument, index) => {
      if (typeof argument === "string") this.#copy(index, NUMBERS[argument]);
      else this.#set(index, argument);
    });
  }

  #operand(value: Register | number): number {
    if (typeof value === "string") return NUMBERS[value];
    this.#set(SCRATCH, value);
    return SCRATCH;
  }

  /** orr to, xzr, from */
  #copy(to: number, from: number): void {
    if (to !== from) this.word(0xaa0003e0 | (from << 16) | to);
  }

  #three(opcode: number, to: number, other: number): void {
    this.word(opcode | (other << 16) | (to << 5) | to);
  }

  #relative(opcode: number, { shift, bits }: JumpField, label: string): void {
    this.fix({
      at: this.length,
      name: label,
      write: (code, at, address) => {
        const field = (((address - at) / 4) & (2 ** bits - 1)) << shift;
        code.setUint32(at, (opcode | field) >>> 0, true);
      },
    });
    this.word(0);
  }
}

/** The two instructions that set a register to 32 bits, sign-extended: movz or movn, movk. */
function moves(to: number, value: number): number[] {
  const [low, high] = [value & 0xffff, (value >>> 16) & 0xffff];
  // A negative number starts from all ones, so its low half is given inverted.
  const first = value < 0 ? 0x92800000 | ((~low & 0xffff) << 5) : 0xd2800000 | (low << 5);
  return [(first | to) >>> 0, (0xf2a00000 | (high << 5) | to) >>> 0];
}

/** The instruction that sets a register to the address of what is so many bytes away, within 1 MiB. */
function adr(to: number, distance: number): number {
  return (0x10000000 | ((distance & 3) << 29) | (((distance >> 2) & 0x7ffff) << 5) | to) >>> 0;
}
