/** What a system call costs in a container, under the filter that the runtime has loaded. */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BenchBundle } from "./bundles.ts";
import type { Row } from "./measure.ts";
import type { Runtime } from "./runtimes.ts";

/** How many calls are timed: some tenths of a second. */
const CALLS = 2_000_000;
const ROUNDS = 7;

/** Calls by their numbers on x86_64, each with its first argument. */
const CALLS_OF_INTEREST = [
  // The kernel remembers that the filter always allows it (Linux 5.11).
  { name: "a call that is always allowed", number: 110, argument: 0 }, // getppid
  // The filter looks at its argument, each time.
  { name: "a call with a condition", number: 135, argument: 0xffffffff }, // personality
] as const;

/**
 * Nanoseconds of CPU time of a call in containers of a bundle: the least of some rounds, in which the runtimes take turns.
 * @param bundle a bundle with a filter; copies of it are made
 */
export function callCosts(bundle: BenchBundle, runtimes: Runtime[], id: (runtime: Runtime) => string): Row[] {
  if (process.arch !== "x64") return [];
  return CALLS_OF_INTEREST.map(({ name, number, argument }) => {
    const path = looping(bundle, number, argument);
    const values = runtimes.map(() => Number.POSITIVE_INFINITY);
    for (let round = 0; round < ROUNDS; round++) {
      runtimes.forEach((runtime, index) => {
        values[index] = Math.min(values[index] as number, loopTime(runtime, path, id(runtime)) / CALLS);
      });
    }
    return { name, unit: "ns", values };
  });
}

/** Runs a container. @returns the nanoseconds that its loop says it has taken */
function loopTime({ path, root }: Runtime, bundle: string, id: string): number {
  const times = execFileSync(path, ["--root", root, "run", "--bundle", bundle, id], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const at = (offset: number) => times.readBigInt64LE(offset) * 1_000_000_000n + times.readBigInt64LE(offset + 8);
  return Number(at(16) - at(0));
}

/** A copy of a bundle that makes a call many times. @returns its path */
function looping({ path }: BenchBundle, number: number, argument: number): string {
  const copy = `${path}-${number}`;
  if (!existsSync(copy)) cpSync(path, copy, { recursive: true });
  const program = join(copy, "rootfs/loop");
  writeFileSync(program, loop(number, argument));
  chmodSync(program, 0o755);
  const file = join(copy, "config.json");
  const config = JSON.parse(readFileSync(file, "utf8"));
  config.process.args = ["/loop"];
  writeFileSync(file, JSON.stringify(config));
  return copy;
}

/**
 * A static program for x86_64 that makes a call many times, and writes its CPU time before and after: two `struct timespec`.
 * @see elf(5), clock_gettime(2)
 */
function loop(number: number, argument: number): Buffer {
  const word = (value: number) => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
  const [write, clockGettime, exit] = [1, 228, 60].map((call) => [0xb8, ...word(call)]) as [
    number[],
    number[],
    number[],
  ]; // mov eax, call
  const edi = (value: number) => [0xbf, ...word(value)]; // mov edi, value
  const syscall = [0x0f, 0x05];
  // Below the stack pointer, where nothing else writes: lea rsi, [rsp - 64 + offset]
  const memory = (offset: number) => [0x48, 0x8d, 0x74, 0x24, 0xc0 + offset];
  const CPU_TIME = 2; // CLOCK_PROCESS_CPUTIME_ID
  const code = Buffer.from([
    ...[...clockGettime, ...edi(CPU_TIME), ...memory(0), ...syscall],
    ...[0xbb, ...word(CALLS)], // mov ebx, CALLS
    ...[0xb8, ...word(number), ...edi(argument), ...syscall], // again: mov eax, number
    ...[0xff, 0xcb], // dec ebx
    ...[0x75, 0xf0], // jnz again
    ...[...clockGettime, ...edi(CPU_TIME), ...memory(16), ...syscall],
    ...[...write, ...edi(1), ...memory(0), 0xba, ...word(32), ...syscall], // mov edx, 32
    ...[...exit, ...edi(0), ...syscall],
  ]);
  const [base, start] = [0x400000, 64 + 56];
  const file = Buffer.alloc(start + code.length);
  file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  file.writeUInt16LE(2, 16); // ET_EXEC
  file.writeUInt16LE(62, 18); // EM_X86_64
  file.writeUInt32LE(1, 20);
  file.writeBigUInt64LE(BigInt(base + start), 24); // entry
  file.writeBigUInt64LE(64n, 32); // program headers
  file.writeUInt16LE(64, 52);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(1, 64); // PT_LOAD
  file.writeUInt32LE(5, 68); // readable, executable
  file.writeBigUInt64LE(BigInt(base), 80);
  file.writeBigUInt64LE(BigInt(base), 88);
  for (const at of [96, 104]) file.writeBigUInt64LE(BigInt(file.length), at);
  file.writeBigUInt64LE(0x1000n, 112);
  code.copy(file, start);
  return file;
}
