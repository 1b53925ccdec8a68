/**
 * All calls of the kernel and of libc: by koffi, which calls functions by their prototypes (`prototypes.ts`).
 *
 * koffi's own `index.js` looks for its shared object in places that depend on the machine, and loads `node:fs` and `node:util` for that.
 * Here it is loaded by its own path instead; see {@link addonPath}.
 */
import { closeSync, openSync } from "node:fs";
import type * as koffi from "koffi";
import { engineDirectory, isCompiled, VARIABLES } from "./executable.ts";
import {
  type Arguments,
  type CallName,
  KERNEL,
  type KernelName,
  LIBC,
  nameIn,
  type Pointer,
  type Result,
} from "./prototypes.ts";
import { KERNEL_NUMBERS } from "./syscall-numbers.ts";
import { encode, isEscaped } from "./text.ts";

export type { CallName, Pointer } from "./prototypes.ts";

type Native = (...args: readonly unknown[]) => unknown;

/** What stands for a system call's name: its number, before the arguments. */
interface Call {
  native: Native;
  number: number | null;
}

interface Loaded {
  koffi: typeof koffi;
  libc: koffi.LibraryHandle;
  /** This thread's errno. */
  errno: Int32Array;
}

let loaded: Loaded | undefined;
const calls = new Map<CallName, Call>();
/** By name: to look for each in a list takes a plain engine 6 ms of a `run`. */
const prototypes = new Map<string, string>([...LIBC, ...KERNEL].map((prototype) => [nameIn(prototype), prototype]));

/** Whether this process has loaded koffi yet, at its first call. */
export function isLoaded(): boolean {
  return loaded !== undefined;
}

/** Loads koffi, unless that is done. @throws {Error} where it is missing, or others could have put another in its place */
export function load(): Loaded {
  if (loaded !== undefined) return loaded;
  const module = { exports: {} as typeof koffi };
  loadAddon(module, addonPath());
  const api = module.exports;
  const libc = api.load(null);
  const errnoLocation = libc.func("void *__errno_location()");
  loaded = { koffi: api, libc, errno: new Int32Array(api.view(errnoLocation(), Int32Array.BYTES_PER_ELEMENT)) };
  return loaded;
}

function loadAddon(module: object, path: string): void {
  if (!isEscaped(path)) return process.dlopen(module, path);
  // The engine would look for a name with U+FFFD in it.
  const file = openSync(Buffer.from(encode(path)), "r");
  try {
    process.dlopen(module, `/proc/self/fd/${file}`);
  } finally {
    closeSync(file);
  }
}

/**
 * A compiled engine has it beside itself, in a directory that nobody else can write to; only one that is no snapshot ever loads it. The
 * build, where it takes the snapshot, is its own owner. When the source is run, by the tests, it is where npm has put it.
 */
function addonPath(): string {
  if (isCompiled && process.env[VARIABLES.stage] === "snapshot")
    return process.execPath.replace(/[^/]*$/, "koffi.node");
  if (isCompiled) return `${engineDirectory()}/koffi.node`;
  const { arch } = process;
  return new URL(import.meta.resolve(`@koromix/koffi-linux-${arch}/linux_${arch}/koffi.node`)).pathname;
}

/** Declares all there is to call, so that it need not be done later: for a snapshot. */
export function declareAll(): void {
  for (const name of prototypes.keys()) declare(name as CallName);
}

function declare(name: CallName): Call {
  const { libc } = load();
  const prototype = prototypes.get(name) as string;
  const call: Call = Object.hasOwn(KERNEL_NUMBERS, name)
    ? {
        native: libc.func(prototype.replace(`${name}(`, "syscall(long number, ")),
        number: KERNEL_NUMBERS[name as KernelName],
      }
    : { native: libc.func(prototype), number: null };
  calls.set(name, call);
  return call;
}

/**
 * Calls a function of libc, or makes a system call that libc has no function for.
 *
 * Where the C function says -1, errno is read from where libc keeps it: a word of memory, so that between the call and the reading there
 * is no other call of anything. `koffi.errno()` would be one, by which the engine might allocate, collect garbage, and change errno.
 *
 * @returns the result, or `-errno`, as the kernel itself would return it; what says its errno otherwise, as posix_spawn(3), as it is
 * @throws {TypeError} for a text with a NUL in it, of which C would see the beginning only
 */
export function syscall<Name extends CallName>(name: Name, ...args: Arguments<Name>): Result<Name> {
  const { native, number } = calls.get(name) ?? declare(name);
  for (let index = 0; index < args.length; index++) {
    const value: unknown = args[index];
    if (typeof value !== "string") continue;
    if (value.includes("\0")) throw new TypeError(`a NUL in ${JSON.stringify(value)}`);
    if (isEscaped(value)) (args as unknown[])[index] = cString(value);
  }
  const result = number === null ? native(...args) : native(number, ...args);
  return (result === -1 ? -(loaded?.errno[0] as number) : result) as Result<Name>;
}

/** The address of a buffer's memory, to be stored in a struct; NULL for an empty one. Keep a reference to the buffer until after the call. */
export function addressOf(memory: NodeJS.ArrayBufferView): bigint {
  return memory.byteLength === 0 ? 0n : load().koffi.address(memory);
}

/** A text as memory with a NUL at its end, for where a pointer is asked for. @throws {TypeError} for one with a NUL in it */
export function cString(text: string): Pointer {
  if (text.includes("\0")) throw new TypeError(`a NUL in ${JSON.stringify(text)}`);
  return encode(`${text}\0`);
}
