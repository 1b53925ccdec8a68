/**
 * The smallest ELF files: machine code, data beside it, and for a shared object the tables by which the dynamic linker finds
 * what it has and wants.
 *
 * The headers and the code are the first page, which cannot be written; the data comes after it, and cannot be executed.
 *
 * @see elf(5), System V ABI, "Object Files" and "Dynamic Linking"
 */

import {
  type Segment as ProgramSegment,
  PT_DYNAMIC,
  PT_GNU_STACK,
  PT_LOAD,
  programHeader,
  SEGMENT,
} from "./program-headers.ts";

const HEADER = 64;
const PROGRAM_HEADER = SEGMENT.size;
const SEGMENTS = 4;
/** Where the first instruction is, in bytes from the beginning of the file. */
const ENTRY = HEADER + SEGMENTS * PROGRAM_HEADER;

/**
 * What differs between architectures: `e_machine`, the relocation that fills in a symbol's address, and the largest page, in bytes:
 * the data begins with the second one.
 */
const MACHINES = {
  x86_64: { number: 62, globDat: 6, page: 0x1000 },
  aarch64: { number: 183, globDat: 1025, page: 0x10000 },
} as const;
export type Machine = keyof typeof MACHINES;

/** Data by name; a number reserves as many zero bytes. */
export type Data = Readonly<Record<string, Uint8Array | string | number>>;

/** Data at its place. */
export interface LaidOutData {
  bytes: Uint8Array;
  /** Distances from the first instruction. */
  addresses: Map<string, number>;
}

/** Gives each piece of data its place, aligned to eight bytes. A string gets a NUL at its end. */
export function layOut(machine: Machine, data: Data): LaidOutData {
  const addresses = new Map<string, number>();
  const table = new Table();
  for (const [name, value] of Object.entries(data)) {
    addresses.set(name, MACHINES[machine].page - ENTRY + table.add(bytesOf(value)));
  }
  return { bytes: table.bytes, addresses };
}

/**
 * A program, which begins with the first instruction.
 * @throws {Error} when the code does not fit into its page
 */
export function executable(machine: Machine, code: Uint8Array, { bytes }: LaidOutData): Uint8Array {
  const [type, base] = [2, 0x400000]; // ET_EXEC
  return file({ machine, type, base, entry: base + ENTRY, code, data: bytes, segments: [] });
}

/** What a shared object and the program that loads it have of each other. */
export interface Symbols {
  /** Functions to be called, by the names of the data that get their addresses: eight bytes each. */
  imports: readonly string[];
  /** Functions that others may call, by the distance of their first instruction from the first of all. */
  exports: Readonly<Record<string, number>>;
}

/**
 * A shared object.
 * @throws {Error} when the code does not fit into its page
 */
export function sharedObject(
  machine: Machine,
  code: Uint8Array,
  { bytes, addresses }: LaidOutData,
  { imports, exports }: Symbols,
): Uint8Array {
  const { globDat, page: dataAt } = MACHINES[machine];
  const table = new Table(bytes);
  const names = new Table(Uint8Array.of(0));
  const symbols = [symbol(0, 0, 0)];
  const name = (text: string) => names.add(Buffer.from(`${text}\0`), 1);
  for (const imported of imports) symbols.push(symbol(name(imported), 0, 0));
  const CODE_SECTION = 1; // any but 0, which would be "undefined"
  for (const [exported, at] of Object.entries(exports)) symbols.push(symbol(name(exported), CODE_SECTION, ENTRY + at));
  const relocations = imports.map((imported, index) =>
    words(ENTRY + (addresses.get(imported) ?? 0), [globDat, index + 1], 0),
  );
  // One bucket, in which each symbol leads to the next.
  const chain = symbols.map((_, index) => (index === 0 ? 0 : (index + 1) % symbols.length));
  const hash = Buffer.from(Uint32Array.of(1, symbols.length, 1, ...chain).buffer);
  const placed = {
    HASH: table.add(hash),
    STRTAB: table.add(names.bytes),
    SYMTAB: table.add(Buffer.concat(symbols)),
    RELA: table.add(Buffer.concat(relocations)),
  };
  const dynamic = words(
    ...[4, dataAt + placed.HASH, 5, dataAt + placed.STRTAB, 10, names.length, 6, dataAt + placed.SYMTAB, 11, 24],
    ...[7, dataAt + placed.RELA, 8, 24 * relocations.length, 9, 24, 0, 0],
  );
  const segment = { type: PT_DYNAMIC, flags: 6, offset: dataAt + table.add(dynamic), size: dynamic.length };
  const type = 3; // ET_DYN
  return file({ machine, type, base: 0, entry: 0, code, data: table.bytes, segments: [segment] });
}

/** One whose address follows from where it is in the file. */
type Segment = Omit<ProgramSegment, "address" | "alignment">;

interface File {
  machine: Machine;
  type: number;
  /** Address of the beginning of the file in memory. */
  base: number;
  entry: number;
  code: Uint8Array;
  data: Uint8Array;
  segments: readonly Segment[];
}

function file({ machine, type, base, entry, code, data, segments }: File): Uint8Array {
  const { page, number } = MACHINES[machine];
  if (ENTRY + code.length > page) throw new Error(`the code is longer than a page: ${code.length} bytes`);
  const all: Segment[] = [
    { type: PT_LOAD, flags: 5, offset: 0, size: ENTRY + code.length },
    { type: PT_LOAD, flags: 6, offset: page, size: data.length },
    { type: PT_GNU_STACK, flags: 6, offset: 0, size: 0 },
    ...segments,
  ];
  const result = new Uint8Array(page + data.length);
  const view = new DataView(result.buffer);
  result.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // ELF, 64 bits, little-endian, version 1
  view.setUint16(16, type, true);
  view.setUint16(18, number, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(entry), true);
  view.setBigUint64(32, BigInt(HEADER), true); // where the program headers are
  view.setUint16(52, HEADER, true);
  view.setUint16(54, PROGRAM_HEADER, true);
  view.setUint16(56, all.length, true);
  all.forEach(({ type, flags, offset, size }, index) => {
    const address = size === 0 ? 0 : base + offset;
    const header = programHeader({ type, flags, offset, address, size, alignment: page });
    result.set(header, HEADER + index * PROGRAM_HEADER);
  });
  result.set(code, ENTRY);
  result.set(data, page);
  return result;
}

/** An entry of the symbol table: a global function. */
function symbol(name: number, section: number, address: number): Uint8Array {
  const GLOBAL_FUNCTION = 0x12;
  const info = name === 0 ? 0 : GLOBAL_FUNCTION;
  return words([name, info | (section << 16)], address, 0);
}

/** Words of 64 bits; a pair gives the low and the high half. */
function words(...values: readonly (number | [low: number, high: number])[]): Uint8Array {
  const result = Buffer.alloc(8 * values.length);
  values.forEach((value, index) => {
    if (typeof value === "number") return result.writeBigUInt64LE(BigInt(value), 8 * index);
    result.writeUInt32LE(value[0], 8 * index);
    return result.writeUInt32LE(value[1], 8 * index + 4);
  });
  return result;
}

/** Bytes that grow. */
class Table {
  readonly #parts: Uint8Array[] = [];
  length = 0;

  constructor(first: Uint8Array = new Uint8Array()) {
    this.add(first, 1);
  }

  /** Adds a part, aligned. @returns where it is */
  add(part: Uint8Array, alignment = 8): number {
    const padding = -this.length & (alignment - 1);
    const at = this.length + padding;
    this.#parts.push(new Uint8Array(padding), part);
    this.length = at + part.length;
    return at;
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

function bytesOf(value: Uint8Array | string | number): Uint8Array {
  if (typeof value === "number") return new Uint8Array(value);
  return typeof value === "string" ? Buffer.from(`${value}\0`) : value;
}
