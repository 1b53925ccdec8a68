/** The smallest ELF executable: machine code, and data beside it. @see elf(5) */

const PAGE = 0x1000;
const BASE = 0x400000;
const HEADER = 64;
const PROGRAM_HEADER = 56;

/** `e_machine` by the architecture's name. */
const MACHINES = { x86_64: 62, aarch64: 183 } as const;
export type Machine = keyof typeof MACHINES;

/** Data by name; a number reserves as many zero bytes. */
export type Data = Readonly<Record<string, Uint8Array | string | number>>;

/** Data at its place in memory, eight bytes aligned. */
export interface LaidOutData {
  bytes: Uint8Array;
  addresses: Map<string, number>;
}

/** How much room is kept for the code, in bytes: the data comes after it, and the code has the data's addresses. */
const CODE_ROOM = PAGE;
const DATA_ADDRESS = BASE + CODE_ROOM;

/** Gives each piece of data its address. A string gets a NUL at its end. */
export function layOut(data: Data): LaidOutData {
  const addresses = new Map<string, number>();
  const bytes: number[] = [];
  for (const [name, value] of Object.entries(data)) {
    addresses.set(name, DATA_ADDRESS + bytes.length);
    if (typeof value === "number") bytes.push(...new Uint8Array(value));
    else bytes.push(...(typeof value === "string" ? Buffer.from(`${value}\0`) : value));
    while (bytes.length % 8 !== 0) bytes.push(0);
  }
  return { bytes: Uint8Array.from(bytes), addresses };
}

/**
 * An executable of two segments, at fixed addresses: headers and code, which cannot be written, and data, which cannot be
 * executed. Nor can the stack.
 * @throws {Error} when the code is longer than the room for it
 */
export function executable(machine: Machine, code: Uint8Array, data: LaidOutData): Uint8Array {
  const PT_LOAD = 1;
  const PT_GNU_STACK = 0x6474e551;
  const [X, W, R] = [1, 2, 4];
  const segments = 3;
  const entry = HEADER + segments * PROGRAM_HEADER;
  if (entry + code.length > CODE_ROOM) throw new Error(`the launcher's code is too long: ${code.length} bytes`);
  const file = new Uint8Array(CODE_ROOM + data.bytes.length);
  const view = new DataView(file.buffer);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // ELF, 64 bits, little-endian, version 1
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, MACHINES[machine], true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(BASE + entry), true);
  view.setBigUint64(32, BigInt(HEADER), true); // where the program headers are
  view.setUint16(52, HEADER, true);
  view.setUint16(54, PROGRAM_HEADER, true);
  view.setUint16(56, segments, true);
  const header = (index: number, type: number, flags: number, offset: number, size: number) => {
    const at = HEADER + index * PROGRAM_HEADER;
    view.setUint32(at, type, true);
    view.setUint32(at + 4, flags, true);
    const address = type === PT_LOAD ? BASE + offset : 0;
    [offset, address, address, size, size, PAGE].forEach((value, field) => {
      view.setBigUint64(at + 8 + 8 * field, BigInt(value), true);
    });
  };
  header(0, PT_LOAD, R | X, 0, entry + code.length);
  header(1, PT_LOAD, R | W, CODE_ROOM, data.bytes.length);
  header(2, PT_GNU_STACK, R | W, 0, 0);
  file.set(code, entry);
  file.set(data.bytes, CODE_ROOM);
  return file;
}
