/** A program whose main thread ends while another one lives, as servers do that hand their work on. */
import { writeFileSync } from "node:fs";

const BASE = 0x400000;
const HEADERS = 64 + 56;
/** A page for the second thread's stack comes after the code. */
const SIZE = 0x2000;

// CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD
const THREAD = 0x10f00;

/** The machine code for x86-64; `le(n)` is a number of four bytes. */
const code = [
  ...[0xb8, ...le(56)], // mov eax, clone
  ...[0xbf, ...le(THREAD)], // mov edi, flags
  ...[0xbe, ...le(BASE + SIZE)], // mov esi, top of the stack
  ...[0x31, 0xd2, 0x4d, 0x31, 0xd2, 0x4d, 0x31, 0xc0], // no tid pointers, no TLS
  ...[0x0f, 0x05], // syscall
  ...[0x85, 0xc0, 0x74, 0x09], // test eax, eax; the new thread jumps over the end of the first
  ...[0xb8, ...le(60), 0x31, 0xff, 0x0f, 0x05], // exit(0), of this thread alone
  ...[0xb8, ...le(34), 0x0f, 0x05, 0xeb, 0xf7], // pause(), again and again
];

function le(number: number): number[] {
  return [0, 8, 16, 24].map((shift) => (number >>> shift) & 0xff);
}

/** Why the program cannot run here, or `null`. */
export const whyNotLeaderless = process.arch === "x64" ? null : "a program for x86-64";

/** Writes the program to a path. @see elf(5) */
export function writeLeaderless(path: string): void {
  const file = Buffer.alloc(HEADERS + code.length);
  file.write("\x7fELF\x02\x01\x01", 0, "latin1");
  file.writeUInt16LE(2, 16); // an executable
  file.writeUInt16LE(62, 18); // for x86-64
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(BASE + HEADERS), 24); // entry point
  file.writeBigUInt64LE(64n, 32); // the program headers
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64); // PT_LOAD
  file.writeUInt32LE(7, 68); // read, write, execute
  file.writeBigUInt64LE(BigInt(BASE), 80);
  file.writeBigUInt64LE(BigInt(BASE), 88);
  file.writeBigUInt64LE(BigInt(file.length), 96);
  file.writeBigUInt64LE(BigInt(SIZE), 104);
  file.writeBigUInt64LE(0x1000n, 112);
  file.set(code, HEADERS);
  writeFileSync(path, file, { mode: 0o755 });
}
