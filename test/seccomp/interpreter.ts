/** Runs a filter as the kernel does: what it answers to a call. @see linux/kernel/bpf/core.c, "classic" BPF; seccomp_data of seccomp(2) */

export interface Call {
  number: number;
  architecture?: number;
  args?: bigint[];
}

const AUDIT_ARCH_X86_64 = 0xc000003e;

/** @returns the action, data included */
export function answer(program: Uint8Array, { number, architecture = AUDIT_ARCH_X86_64, args = [] }: Call): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number >>> 0, 0);
  data.writeUInt32LE(architecture, 4);
  args.forEach((value, index) => data.writeBigUInt64LE(BigInt.asUintN(64, value), 16 + 8 * index));
  const code = Buffer.from(program);
  let accumulator = 0;
  for (let at = 0; at * 8 < code.length; at++) {
    const operation = code.readUInt16LE(at * 8);
    const [ifTrue, ifFalse, operand] = [code[at * 8 + 2] ?? 0, code[at * 8 + 3] ?? 0, code.readUInt32LE(at * 8 + 4)];
    const jump = (holds: boolean) => {
      at += holds ? ifTrue : ifFalse;
    };
    if (operation === 0x20) accumulator = data.readUInt32LE(operand);
    else if (operation === 0x54) accumulator = (accumulator & operand) >>> 0;
    else if (operation === 0x05) at += operand;
    else if (operation === 0x15) jump(accumulator === operand);
    else if (operation === 0x25) jump(accumulator > operand);
    else if (operation === 0x35) jump(accumulator >= operand);
    else if (operation === 0x45) jump((accumulator & operand) !== 0);
    else if (operation === 0x06) return operand;
    else throw new Error(`instruction ${at} has an unknown operation 0x${operation.toString(16)}`);
  }
  throw new Error("the filter ends without an answer");
}
