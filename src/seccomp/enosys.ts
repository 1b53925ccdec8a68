/** What is put before a filter: calls that are newer than the profile get ENOSYS. @see linux/filter.h, seccomp(2) */

/** The newest call of a profile on one architecture. */
export interface NewestCall {
  /** The kernel's audit architecture. */
  architecture: number;
  /** Its number. */
  number: number;
  /** x86_64 only: the newest one of x32, which is told from it by bit 30 of the number; without, the filter itself decides on those. */
  x32?: number;
}

const OFFSET_OF_NUMBER = 0;
const OFFSET_OF_ARCHITECTURE = 4;
const X32_BIT = 0x4000_0000;
const RETURN_ENOSYS = 0x0005_0000 + 38;

const LOAD = 0x20; // BPF_LD | BPF_W | BPF_ABS
const JUMP = 0x05; // BPF_JMP | BPF_JA
const JUMP_IF_EQUAL = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_IF_GREATER = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const JUMP_IF_AT_LEAST = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const RETURN = 0x06; // BPF_RET | BPF_K

/** Bytes of `struct sock_filter`. */
export const INSTRUCTION_BYTES = 8;

/** One instruction: its code, where it jumps to if its condition holds and if not, counted from the next one, and its operand. */
type Instruction = [code: number, ifTrue: number, ifFalse: number, operand: number];

/**
 * Puts the answer to new calls before a filter.
 * @param program instructions of 8 bytes
 */
export function answerNewCalls(program: Uint8Array, newest: readonly NewestCall[]): Uint8Array {
  if (newest.length === 0) return program;
  const sections = newest.map(section);
  // After the sections come a jump to the filter, for other architectures, and the answer.
  const end = 1 + sections.reduce((sum, { length }) => sum + length + 1, 0);
  const instructions: Instruction[] = [[LOAD, 0, 0, OFFSET_OF_ARCHITECTURE]];
  for (const [index, body] of sections.entries()) {
    instructions.push([JUMP_IF_EQUAL, 0, body.length, newest[index]?.architecture ?? 0]);
    for (const [code, ifTrue, ifFalse, operand] of body) {
      const distance = end - instructions.length;
      if (code === JUMP) instructions.push([JUMP, 0, 0, distance + 1]);
      else instructions.push([code, ifTrue === TO_ANSWER ? distance : ifTrue, ifFalse, operand]);
    }
  }
  instructions.push([JUMP, 0, 0, 1], [RETURN, 0, 0, RETURN_ENOSYS]);
  return Buffer.concat([...instructions.map(encode), program]);
}

/** Stands for the distance to the answer; a jump without a condition goes to the filter. */
const TO_ANSWER = 255;

function section({ number, x32 }: NewestCall): Instruction[] {
  const plain: Instruction[] = [
    [JUMP_IF_GREATER, TO_ANSWER, 0, number],
    [JUMP, 0, 0, 0],
  ];
  const load: Instruction = [LOAD, 0, 0, OFFSET_OF_NUMBER];
  if (x32 === undefined) {
    // Numbers with the bit go to the filter, which kills them where x32 is not among its architectures.
    return [load, [JUMP_IF_AT_LEAST, 1, 0, X32_BIT], ...plain];
  }
  return [load, [JUMP_IF_AT_LEAST, 2, 0, X32_BIT], ...plain, [JUMP_IF_GREATER, TO_ANSWER, 0, x32], [JUMP, 0, 0, 0]];
}

function encode([code, ifTrue, ifFalse, operand]: Instruction): Buffer {
  const bytes = Buffer.alloc(INSTRUCTION_BYTES);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(ifTrue, 2);
  bytes.writeUInt8(ifFalse, 3);
  bytes.writeUInt32LE(operand, 4);
  return bytes;
}
