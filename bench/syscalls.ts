/** What a system call costs in a container, under the filter that the runtime has loaded. */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BenchBundle } from "./bundles.ts";
import { median, type Row } from "./measure.ts";
import type { Runtime } from "./runtimes.ts";

/** How many calls are timed: some tenths of a second. */
const CALLS = 2_000_000;
const ROUNDS = 5;

/** Calls by their numbers on x86_64, each with its first argument. */
const CALLS_OF_INTEREST = [
  // The kernel remembers that the filter always allows it (Linux 5.11).
  { name: "a call that is always allowed", number: 110, argument: 0 }, // getppid
  // The filter looks at its argument, each time.
  { name: "a call with a condition", number: 135, argument: 0xffffffff }, // personality
] as const;

/**
 * Nanoseconds of a call in containers of a bundle: the time of a run with two million of them, less that of a run with one.
 * @param bundle a bundle with a filter; a copy of it is made
 */
export function callCosts(bundle: BenchBundle, runtimes: Runtime[], id: (runtime: Runtime) => string): Row[] {
  if (process.arch !== "x64") return [];
  return CALLS_OF_INTEREST.map(({ name, number, argument }) => {
    const [many, one] = [CALLS, 1].map((count) => looping(bundle, count, number, argument)) as [string, string];
    const values = runtimes.map((runtime) => {
      const times = (path: string) => Array.from({ length: ROUNDS }, () => duration(runtime, path, id(runtime)));
      return (median(times(many)) - median(times(one))) / CALLS;
    });
    return { name, unit: "ns", values };
  });
}

function duration({ path, root }: Runtime, bundle: string, id: string): number {
  const begun = process.hrtime.bigint();
  execFileSync(path, ["--root", root, "run", "--bundle", bundle, id], { stdio: "ignore" });
  return Number(process.hrtime.bigint() - begun);
}

/** A copy of a bundle that makes a call some times. @returns its path */
function looping({ path }: BenchBundle, count: number, number: number, argument: number): string {
  const copy = `${path}-${number}-${count}`;
  if (!existsSync(copy)) cpSync(path, copy, { recursive: true });
  const program = join(copy, "rootfs/loop");
  writeFileSync(program, loop(count, number, argument));
  chmodSync(program, 0o755);
  const file = join(copy, "config.json");
  const config = JSON.parse(readFileSync(file, "utf8"));
  config.process.args = ["/loop"];
  writeFileSync(file, JSON.stringify(config));
  return copy;
}

/** A static program for x86_64 that makes a call `count` times, and ends. @see elf(5) */
function loop(count: number, number: number, argument: number): Buffer {
  const word = (value: number) => [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
  const code = Buffer.from([
    ...[0xbb, ...word(count)], // mov ebx, count
    ...[0xb8, ...word(number)], // again: mov eax, number
    ...[0xbf, ...word(argument)], // mov edi, argument
    ...[0x0f, 0x05], // syscall
    ...[0xff, 0xcb], // dec ebx
    ...[0x75, 0xf0], // jnz again
    ...[0x31, 0xff], // xor edi, edi
    ...[0xb8, ...word(60)], // mov eax, exit
    ...[0x0f, 0x05], // syscall
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
