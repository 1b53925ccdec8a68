/**
 * The eBPF program that decides on a cgroup v2's device accesses.
 *
 * The kernel calls it with a `struct bpf_cgroup_dev_ctx` {access_type, major, minor} in R1, and forbids the access when
 * it returns 0. `access_type` has the device's type in its lower half and the accesses asked for in its upper half.
 *
 * @see linux/include/uapi/linux/bpf.h; Documentation/bpf/standardization/instruction-set.rst
 */
import { ACCESS, type DeviceException, type DeviceFilter } from "./devices.ts";

const OP = {
  /** dst = *(u32 *)(src + offset) */
  LOAD_WORD: 0x61,
  AND: 0x54,
  SHIFT_RIGHT: 0x74,
  MOVE: 0xb4,
  MOVE_REGISTER: 0xbc,
  /** Jumps on the lower 32 bits: major and minor are unsigned, and a 64-bit jump would extend the sign of its constant. */
  JUMP_IF_EQUAL: 0x16,
  JUMP_IF_NOT_EQUAL: 0x56,
  JUMP_IF_NOT_EQUAL_REGISTER: 0x5e,
  EXIT: 0x95,
} as const;

const R0 = 0;
const CONTEXT = 1;
const TYPE = 2;
const REQUESTED = 3;
const MAJOR = 4;
const MINOR = 5;
const SCRATCH = 6;

const deviceTypes = { b: 1, c: 2 } as const;
const anyAccess = ACCESS.r | ACCESS.w | ACCESS.m;

interface Instruction {
  op: number;
  dst: number;
  src?: number;
  offset?: number;
  constant?: number;
  /** Jumps to the next exception; the assembler fills the offset in. */
  toNext?: boolean;
}

/** The program for a filter, assembled: 8 bytes an instruction. */
export function assembleDeviceProgram(filter: DeviceFilter): Buffer {
  const program: Instruction[] = [
    { op: OP.LOAD_WORD, dst: TYPE, src: CONTEXT, offset: 0 },
    { op: OP.AND, dst: TYPE, constant: 0xffff },
    { op: OP.LOAD_WORD, dst: REQUESTED, src: CONTEXT, offset: 0 },
    { op: OP.SHIFT_RIGHT, dst: REQUESTED, constant: 16 },
    { op: OP.LOAD_WORD, dst: MAJOR, src: CONTEXT, offset: 4 },
    { op: OP.LOAD_WORD, dst: MINOR, src: CONTEXT, offset: 8 },
  ];
  for (const exception of filter.exceptions.values()) program.push(...blockOf(exception, !filter.allowByDefault));
  program.push(...verdict(filter.allowByDefault));
  return encode(program);
}

function blockOf({ type, major, minor, access }: DeviceException, allow: boolean): Instruction[] {
  const block: Instruction[] = [
    { op: OP.JUMP_IF_NOT_EQUAL, dst: TYPE, constant: deviceTypes[type], toNext: true },
    ...(access === anyAccess ? [] : accessTest(access, allow)),
  ];
  if (major !== null) block.push({ op: OP.JUMP_IF_NOT_EQUAL, dst: MAJOR, constant: major, toNext: true });
  if (minor !== null) block.push({ op: OP.JUMP_IF_NOT_EQUAL, dst: MINOR, constant: minor, toNext: true });
  block.push(...verdict(allow));
  return block.map((instruction, index) =>
    instruction.toNext === true ? { ...instruction, offset: block.length - index - 1 } : instruction,
  );
}

/** Allowing needs all of the accesses asked for in the rule, denying needs one of them. */
function accessTest(access: number, allow: boolean): Instruction[] {
  return [
    { op: OP.MOVE_REGISTER, dst: SCRATCH, src: REQUESTED },
    { op: OP.AND, dst: SCRATCH, constant: access },
    allow
      ? { op: OP.JUMP_IF_NOT_EQUAL_REGISTER, dst: SCRATCH, src: REQUESTED, toNext: true }
      : { op: OP.JUMP_IF_EQUAL, dst: SCRATCH, constant: 0, toNext: true },
  ];
}

function verdict(allow: boolean): Instruction[] {
  return [
    { op: OP.MOVE, dst: R0, constant: allow ? 1 : 0 },
    { op: OP.EXIT, dst: 0 },
  ];
}

function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(8 * program.length);
  program.forEach(({ op, dst, src = 0, offset = 0, constant = 0 }, index) => {
    bytes.writeUInt8(op, 8 * index);
    bytes.writeUInt8((src << 4) | dst, 8 * index + 1);
    bytes.writeInt16LE(offset, 8 * index + 2);
    bytes.writeInt32LE(constant | 0, 8 * index + 4);
  });
  return bytes;
}
