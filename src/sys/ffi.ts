/**
 * The one door to libc: loads koffi's addon and makes raw system calls through it.
 *
 * Every system call goes through one prototype, `long syscall(long, void *, …)`: koffi parses a prototype when it is
 * declared, which costs more than the calls do, and `void *` takes numbers, typed arrays and strings alike.
 */
import { statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type * as Koffi from "koffi";
import { enginePath, isCompiled } from "./executable.ts";
import { type SyscallName, syscallNumbers } from "./syscall-numbers.ts";

/** What a system call takes: an integer, an address, memory to read or write, a NUL-free string, or NULL. */
export type SyscallArgument = number | bigint | NodeJS.ArrayBufferView | string | null;

type Word = SyscallArgument;
type RawSyscall = (nr: number, a: Word, b: Word, c: Word, d: Word, e: Word, f: Word) => number;

let koffi: typeof Koffi | undefined;
let raw: RawSyscall | undefined;

/** The koffi module, loaded at first use from beside the executable (or from node_modules when run from source). */
export function loadKoffi(): typeof Koffi {
  if (koffi === undefined) {
    const module = { exports: {} as typeof Koffi };
    process.dlopen(module, addonPath());
    koffi = module.exports;
  }
  return koffi;
}

/** Whether this process has made a system call yet: the first loads koffi, which takes 2 ms. */
export function isKoffiLoaded(): boolean {
  return koffi !== undefined;
}

/**
 * Makes a system call.
 * @returns the call's result, or `-errno`, as the kernel itself returns it
 */
export function syscall(
  name: SyscallName,
  a: SyscallArgument = 0,
  b: SyscallArgument = 0,
  c: SyscallArgument = 0,
  d: SyscallArgument = 0,
  e: SyscallArgument = 0,
  f: SyscallArgument = 0,
): number {
  raw ??= declareSyscall();
  const result = raw(syscallNumbers[name], a, b, c, d, e, f);
  return result === -1 ? -loadKoffi().errno() : result;
}

/** The address of a buffer's memory, to be stored in a struct. Keep a reference to the buffer until after the call. */
export function addressOf(memory: NodeJS.ArrayBufferView): bigint {
  return memory.byteLength === 0 ? 0n : BigInt(loadKoffi().address(memory));
}

function declareSyscall(): RawSyscall {
  const word = "void *";
  const libc = loadKoffi().load(null);
  return libc.func("syscall", "long", ["long", word, word, word, word, word, word]) as unknown as RawSyscall;
}

function addonPath(): string {
  if (!isCompiled) {
    const arch = process.arch === "arm64" ? "arm64" : "x64";
    const directory = dirname(createRequire(import.meta.url).resolve(`@koromix/koffi-linux-${arch}/package.json`));
    return join(directory, `linux_${arch}`, "koffi.node");
  }
  const engine = enginePath();
  const path = join(dirname(engine), "koffi.node");
  // Code is loaded from here: whoever can write it is us. The engine's own owner could change us anyway.
  const trusted = new Set([0, process.geteuid?.() ?? 0, statSync(engine).uid]);
  for (const checked of [path, dirname(path)]) {
    const { uid, mode } = statSync(checked);
    const sticky = (mode & 0o1000) !== 0;
    if (!trusted.has(uid) || ((mode & 0o022) !== 0 && !sticky)) {
      throw new Error(`${checked} can be written by other users: refusing to load code from it (see docs/install.md)`);
    }
  }
  return path;
}
