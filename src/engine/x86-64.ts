/** Machine code of x86_64. @see Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2 */

import {
  type Argument,
  type Assembler,
  Code,
  type Condition,
  type Constant,
  type Register,
  type Width,
} from "./assembler.ts";
import type { X86SyscallName } from "./syscall-numbers.ts";

/** Numbers of the registers: rax; rbx, rbp, r12 to r15. */
const NUMBERS: Record<Register, number> = { result: 0, a: 3, b: 5, c: 12, d: 13, e: 14, f: 15 };
const RCX = 1;
const RSP = 4;
/** What CPUID answers in. */
const CPUID_REGISTERS = { eax: 0, ecx: 1, edx: 2, ebx: 3 } as const;
export type CpuidRegister = keyof typeof CPUID_REGISTERS;
/** What a system call takes its arguments from: rdi, rsi, rdx, r10, r8, r9. */
const SYSCALL_ARGUMENTS = [7, 6, 2, 10, 8, 9];
/** All that a process has by their names in ptrace(2), but those that a system call overwrites: rax, rcx, r11. */
const LASTING = {
  rdx: 2,
  rbx: 3,
  rsp: 4,
  rbp: 5,
  rsi: 6,
  rdi: 7,
  r8: 8,
  r9: 9,
  r10: 10,
  r12: 12,
  r13: 13,
  r14: 14,
  r15: 15,
};
/** What a process that has just made a system call goes on with, see {@link X86Assembler.resume}. */
export const RESUMED: readonly string[] = [...Object.keys(LASTING), "rip"];
/** r11, which a system call overwrites. */
const SPARE = 11;

const JUMPS: Record<Condition, number> = { zero: 0x84, "not zero": 0x85, negative: 0x88 };

/** Assembles for x86_64. */
export class X86Assembler extends Code implements Assembler {
  constructor(private readonly syscalls: Readonly<Record<X86SyscallName, number>>) {
    super();
  }

  set(to: Register, value: Constant): void {
    this.#set(NUMBERS[to], value);
  }

  copy(to: Register, from: Register): void {
    this.#copy(NUMBERS[to], NUMBERS[from]);
  }

  add(to: Register, value: Register | number): void {
    if (typeof value === "string") return this.#between(0x01, NUMBERS[to], NUMBERS[value]);
    if (value === (value << 24) >> 24) {
      this.#between(0x83, NUMBERS[to], 0);
      return this.bytes(value & 0xff);
    }
    this.#between(0x81, NUMBERS[to], 0);
    this.word(value);
  }

  and(to: Register, value: Register): void {
    this.#between(0x21, NUMBERS[to], NUMBERS[value]);
  }

  shiftRight(register: Register, bits: number): void {
    this.#between(0xc1, NUMBERS[register], 5);
    this.bytes(bits);
  }

  load(to: Register, address: Register, offset: number, width: Width): void {
    const opcode = width === 1 ? [0x0f, 0xb6] : [0x8b];
    this.#memory(opcode, NUMBERS[to], NUMBERS[address], offset, width === 8);
  }

  store(from: Register, address: Register, offset: number, width: Width): void {
    this.#memory([width === 1 ? 0x88 : 0x89], NUMBERS[from], NUMBERS[address], offset, width === 8);
  }

  jump(label: string): void {
    this.bytes(0xe9);
    this.#relative(label);
  }

  jumpIf(condition: Condition, register: Register, label: string): void {
    this.#between(0x85, NUMBERS[register], NUMBERS[register]);
    this.bytes(0x0f, JUMPS[condition]);
    this.#relative(label);
  }

  jumpIfEqual(one: Register, other: Register, label: string): void {
    this.#between(0x39, NUMBERS[one], NUMBERS[other]);
    this.bytes(0x0f, JUMPS.zero);
    this.#relative(label);
  }

  syscall(name: X86SyscallName, ...args: readonly Argument[]): void {
    this.#pass(SYSCALL_ARGUMENTS, args);
    this.#set(NUMBERS.result, this.syscalls[name]);
    this.bytes(0x0f, 0x05);
  }

  /**
   * Makes the system call whose number and six arguments are seven words of 64 bits at an address.
   * @param address stays as it is
   */
  syscallWith(address: Register): void {
    this.#passWords([NUMBERS.result, ...SYSCALL_ARGUMENTS], address);
    this.bytes(0x0f, 0x05);
  }

  /** Changes the bits that are set in the other register. */
  xor(to: Register, value: Register): void {
    this.#between(0x31, NUMBERS[to], NUMBERS[value]);
  }

  rotateLeft(register: Register, bits: number): void {
    this.#between(0xc1, NUMBERS[register], 0);
    this.bytes(bits);
  }

  getStack(to: Register): void {
    this.#copy(NUMBERS[to], RSP);
  }

  /**
   * Puts what the processor says of itself into places of 32 bits, one for each register. Overwrites `a`.
   * @param part what some leaves have several of
   */
  cpuid(leaf: number, part: number, placeOf: (register: CpuidRegister) => string): void {
    this.#set(NUMBERS.result, leaf | 0);
    this.#set(RCX, part);
    this.bytes(0x0f, 0xa2);
    for (const [register, number] of Object.entries(CPUID_REGISTERS)) {
      this.bytes(0x89, 0x05 | (number << 3)); // mov [rip + distance], r32
      this.#relative(placeOf(register as CpuidRegister));
    }
  }

  /** Puts the parts of the registers that the kernel keeps for processes, the lower half of XCR0, into a place of 32 bits. */
  xgetbv(place: string): void {
    this.bytes(0x31, 0xc9, 0x0f, 0x01, 0xd0); // xor ecx, ecx; xgetbv
    this.bytes(0x89, 0x05); // mov [rip + distance], eax
    this.#relative(place);
  }

  /** Goes on as a process that has just made a system call: with the registers of {@link RESUMED}, a word each; `result` stays. */
  resume(words: string): void {
    this.#set(SPARE, { address: words });
    Object.values(LASTING).forEach((register, index) => this.#memory([0x8b], register, SPARE, 8 * index, true));
    this.bytes(0x41, 0xff, 0xa3); // jmp [r11 + distance]
    this.word(8 * Object.keys(LASTING).length);
  }

  /** mov r64, imm32 (sign-extended); lea r64, [rip + distance]. */
  #set(to: number, value: Constant): void {
    if (typeof value === "number") {
      this.#between(0xc7, to, 0);
      return this.word(value);
    }
    this.bytes(rex(true, to, 0), 0x8d, 0x05 | ((to & 7) << 3));
    this.#relative(value.address);
  }

  #pass(registers: readonly number[], args: readonly Argument[]): void {
    args.forEach((argument, index) => {
      const to = registers[index] as number;
      if (typeof argument === "string") this.#copy(to, NUMBERS[argument]);
      else this.#set(to, argument);
    });
  }

  #passWords(registers: readonly number[], address: Register): void {
    registers.forEach((register, index) => this.#memory([0x8b], register, NUMBERS[address], 8 * index, true));
  }

  #copy(to: number, from: number): void {
    this.#between(0x89, to, from);
  }

  /** An instruction on two registers of 64 bits; `other` may be part of the operation instead. */
  #between(opcode: number, to: number, other: number): void {
    this.bytes(rex(true, other, to), opcode, 0xc0 | ((other & 7) << 3) | (to & 7));
  }

  /** An instruction on a register and memory at another one plus 32 bits. */
  #memory(opcode: readonly number[], register: number, base: number, offset: number, wide: boolean): void {
    this.bytes(rex(wide, register, base), ...opcode, 0x80 | ((register & 7) << 3) | (base & 7));
    // The number of rsp, which r12 shares, means that a second byte names the base.
    if ((base & 7) === RSP) this.bytes(0x24);
    this.word(offset);
  }

  /** The distance from the end of the instruction, which it is the last part of. */
  #relative(name: string): void {
    this.fix({
      at: this.length,
      name,
      write: (code, at, address) => code.setInt32(at, address - (at + 4), true),
    });
    this.word(0);
  }
}

function rex(wide: boolean, register: number, base: number): number {
  return 0x40 | (wide ? 8 : 0) | (register > 7 ? 4 : 0) | (base > 7 ? 1 : 0);
}
