/**
 * Program headers, which say where the segments of a program are; and the smallest programs: machine code, and data beside it.
 *
 * The headers and the code are the first page, which cannot be written; the data comes after it, and cannot be executed.
 *
 * @see elf(5), System V ABI, "Object Files"
 */
// Fields of the file header by their distance from its beginning, in bytes.
const FILE = { machine: 18, programHeaders: 32, programHeaderCount: 56 };

/** Fields of a program header by their distance from its beginning, in bytes; and its size. */
export const SEGMENT = {
  ...{ type: 0, flags: 4, offset: 8, address: 16, fileSize: 32, memorySize: 40, alignment: 48 },
  size: 56,
} as const;
/** Those that are words of 64 bits. */
export type SegmentName = "offset" | "address" | "fileSize" | "memorySize" | "alignment";

/** Types of segments. */
export const [PT_LOAD, PT_INTERP, PT_GNU_STACK] = [1, 3, 0x6474e551] as const;

/** What a program header says; sizes, addresses and offsets in bytes. */
export interface Segment {
  type: number;
  /** Bits: 1 execute, 2 write, 4 read. */
  flags: number;
  /** In the file. */
  offset: number;
  address: number;
  /** In the file and in memory. */
  size: number;
  alignment: number;
}

/** The program header of a segment. */
export function programHeader({ type, flags, offset, address, size, alignment }: Segment): Uint8Array {
  const bytes = new Uint8Array(SEGMENT.size);
  const view = new DataView(bytes.buffer);
  view.setUint32(SEGMENT.type, type, true);
  view.setUint32(SEGMENT.flags, flags, true);
  const words = [offset, address, address, size, size, alignment];
  words.forEach((value, index) => {
    view.setBigUint64(SEGMENT.offset + 8 * index, BigInt(value), true);
  });
  return bytes;
}

/**
 * Where the program headers are, in bytes from the beginning of the file.
 * @param view on a file of 64 bits, little-endian
 */
export function programHeaders(view: DataView): number[] {
  const first = word(view, FILE.programHeaders);
  const count = view.getUint16(FILE.programHeaderCount, true);
  return Array.from({ length: count }, (_, index) => first + index * SEGMENT.size);
}

/** A word of 64 bits, as a number. */
export function word(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

/** How much memory a program takes as soon as it is executed, in bytes. */
export interface MemoryNeeds {
  /** All of it: counts for RLIMIT_AS. */
  whole: number;
  /** What it can write to: counts for RLIMIT_DATA. */
  data: number;
}

/** What the kernel maps of a program, by its program headers. @param view as for {@link programHeaders} */
export function memoryNeeds(view: DataView): MemoryNeeds {
  const WRITE = 2;
  const loaded = programHeaders(view).filter((at) => view.getUint32(at + SEGMENT.type, true) === PT_LOAD);
  const sum = (headers: readonly number[]) =>
    headers.reduce((total, at) => total + word(view, at + SEGMENT.memorySize), 0);
  return { whole: sum(loaded), data: sum(loaded.filter((at) => view.getUint32(at + SEGMENT.flags, true) & WRITE)) };
}

const HEADER = 64;
const SEGMENTS = 3;
/** Where the first instruction is, in bytes from the beginning of the file. */
const ENTRY = HEADER + SEGMENTS * SEGMENT.size;
/** Where that is in memory. */
const BASE = 0x400000;

/** What differs between architectures: `e_machine`, and the largest page, in bytes: the data begins with the second one. */
const MACHINES = {
  x86_64: { number: 62, page: 0x1000 },
  aarch64: { number: 183, page: 0x10000 },
} as const;
export type Machine = keyof typeof MACHINES;

/**
 * The architecture that a program is for, by its header.
 * @param view on a file of 64 bits, little-endian
 * @throws {Error} for another one
 */
export function machineOf(view: DataView): Machine {
  const found = view.getUint16(FILE.machine, true);
  for (const machine of Object.keys(MACHINES) as Machine[]) if (MACHINES[machine].number === found) return machine;
  throw new Error(`the engine is for neither x86_64 nor aarch64: its e_machine is ${found}`);
}

/** Data by name; a number reserves as many zero bytes. */
export type Data = Readonly<Record<string, Uint8Array | string | number>>;

/** Words of 64 bits, one after the other. */
export function layOutWords(values: readonly (bigint | number)[]): Uint8Array {
  return new Uint8Array(BigInt64Array.from(values.map((value) => BigInt.asIntN(64, BigInt(value)))).buffer);
}

/** Data at its place. */
export interface LaidOutData {
  bytes: Uint8Array;
  /** Distances from the first instruction. */
  addresses: Map<string, number>;
}

/** Gives each piece of data its place, aligned to eight bytes. A string gets a NUL at its end. */
export function layOut(machine: Machine, data: Data): LaidOutData {
  const addresses = new Map<string, number>();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (const [name, value] of Object.entries(data)) {
    addresses.set(name, MACHINES[machine].page - ENTRY + length);
    const part = bytesOf(value);
    parts.push(part, new Uint8Array(-part.length & 7));
    length += part.length + (-part.length & 7);
  }
  return { bytes: Buffer.concat(parts), addresses };
}

/**
 * A program, which begins with the first instruction.
 * @throws {Error} when the code does not fit into its page
 */
export function executable(machine: Machine, code: Uint8Array, { bytes: data }: LaidOutData): Uint8Array {
  const { page, number } = MACHINES[machine];
  if (ENTRY + code.length > page) throw new Error(`the code is longer than a page: ${code.length} bytes`);
  const segments = [
    { type: PT_LOAD, flags: 5, offset: 0, address: BASE, size: ENTRY + code.length },
    { type: PT_LOAD, flags: 6, offset: page, address: BASE + page, size: data.length },
    { type: PT_GNU_STACK, flags: 6, offset: 0, address: 0, size: 0 },
  ];
  const result = new Uint8Array(page + data.length);
  const view = new DataView(result.buffer);
  const ET_EXEC = 2;
  result.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // ELF, 64 bits, little-endian, version 1
  view.setUint16(16, ET_EXEC, true);
  view.setUint16(18, number, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(BASE + ENTRY), true);
  view.setBigUint64(32, BigInt(HEADER), true); // where the program headers are
  view.setUint16(52, HEADER, true);
  view.setUint16(54, SEGMENT.size, true);
  view.setUint16(56, segments.length, true);
  segments.forEach((segment, index) => {
    result.set(programHeader({ ...segment, alignment: page }), HEADER + index * SEGMENT.size);
  });
  result.set(code, ENTRY);
  result.set(data, page);
  return result;
}

function bytesOf(value: Uint8Array | string | number): Uint8Array {
  if (typeof value === "number") return new Uint8Array(value);
  return typeof value === "string" ? Buffer.from(`${value}\0`) : value;
}
