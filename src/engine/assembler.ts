/**
 * What the launcher is written in: a handful of machine instructions that both architectures have.
 *
 * An {@link Assembler} collects the instructions of one architecture. They reach data by its distance from them, so the code
 * may be loaded anywhere.
 */
import type { SyscallName } from "./syscall-numbers.ts";

/**
 * The registers. A system call leaves all of them as they are, `result` apart: the architectures map them to registers that
 * the kernel keeps and that pass no arguments.
 */
export type Register = "result" | "a" | "b" | "c" | "d" | "e" | "f";

/** A value known when the program is assembled: a number, or the address of a label or a piece of data. */
export type Constant = number | { address: string };

/** What a system call takes. Not `result`, which is where the first argument goes on aarch64. */
export type Argument = Exclude<Register, "result"> | Constant;

/** Bytes that are read or written at once. What is read is extended with zeros to 64 bits. */
export type Width = 1 | 4 | 8;

/** When to jump: by the value of one register, as a signed number of 64 bits. */
export type Condition = "zero" | "not zero" | "negative";

/** The instructions. */
export interface Assembler {
  /** Names the place of the next instruction. */
  label(name: string): void;
  set(to: Register, value: Constant): void;
  copy(to: Register, from: Register): void;
  /** Adds a constant of up to 31 bits, or a register. */
  add(to: Register, value: Register | number): void;
  /** Keeps the bits that are set in both. */
  and(to: Register, value: Register): void;
  shiftRight(register: Register, bits: number): void;
  load(to: Register, address: Register, offset: number, width: Width): void;
  store(from: Register, address: Register, offset: number, width: Width): void;
  jump(label: string): void;
  jumpIf(condition: Condition, register: Register, label: string): void;
  jumpIfEqual(one: Register, other: Register, label: string): void;
  /** Makes a system call; `result` is what the kernel returns: a value, or a negative errno. */
  syscall(name: SyscallName, ...args: readonly Argument[]): void;
  /** The stack pointer, which at the entry points to argc; see the architecture's ABI supplement, "Process Initialization". */
  getStack(to: Register): void;
  /**
   * The finished machine code.
   * @param addresses of the data by name, from the first instruction
   * @throws {Error} for a label or data that is not there, or a name that is both
   */
  assemble(addresses: ReadonlyMap<string, number>): Uint8Array;
  /** Where the labels are, in bytes from the first instruction. */
  readonly labels: ReadonlyMap<string, number>;
}

/** Where an instruction needs an address that is not known yet. */
interface Fixup {
  /** Where the instruction, or the part of it that is written, begins. */
  at: number;
  /** A label, or the name of data. */
  name: string;
  /** Puts the address there; both are distances from the first instruction. */
  write(code: DataView, at: number, address: number): void;
}

/** What is the same for every architecture: bytes, labels, and addresses filled in at the end. */
export abstract class Code {
  readonly #bytes: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #fixups: Fixup[] = [];

  /** Where the next byte comes, in bytes from the beginning. */
  get length(): number {
    return this.#bytes.length;
  }

  bytes(...values: readonly number[]): void {
    this.#bytes.push(...values);
  }

  /** A little-endian word of 32 bits. */
  word(value: number): void {
    this.bytes(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff);
  }

  label(name: string): void {
    if (this.#labels.has(name)) throw new Error(`label ${name} is defined twice`);
    this.#labels.set(name, this.length);
  }

  /** Has an address written, once it is known. */
  fix(fixup: Fixup): void {
    this.#fixups.push(fixup);
  }

  /** See {@link Assembler.assemble}. */
  assemble(addresses: ReadonlyMap<string, number>): Uint8Array {
    const code = Uint8Array.from(this.#bytes);
    const view = new DataView(code.buffer);
    for (const { at, name, write } of this.#fixups) {
      if (this.#labels.has(name) && addresses.has(name)) throw new Error(`${name} is a label and data`);
      const address = this.#labels.get(name) ?? addresses.get(name);
      if (address === undefined) throw new Error(`${name} is not defined`);
      write(view, at, address);
    }
    return code;
  }

  /** Where the labels are, in bytes from the first instruction. */
  get labels(): ReadonlyMap<string, number> {
    return this.#labels;
  }
}
