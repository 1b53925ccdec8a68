/**
 * The one door to the kernel and to libc: system calls, and functions of libc by name.
 *
 * Behind it is the addon of `src/engine/addon.ts`, which takes the arguments as they are.
 */

import { isCompiled, VARIABLES } from "./executable.ts";
import { type SyscallName, syscallNumbers } from "./syscall-numbers.ts";
import { encode } from "./text.ts";

/** What a call takes: an integer, an address, memory to read or write, a string without NUL, or NULL. */
export type Argument = number | bigint | NodeJS.ArrayBufferView | string | null;

/** `undefined`, and nothing is done, for a string that the addon does not pass: a long one, or one with a NUL in it. */
type Call<Called> = (called: Called, ...args: readonly (Argument | undefined)[]) => number | undefined;

interface Addon {
  /** The words that are shared with it. */
  words: ArrayBuffer;
  /** Makes a system call, by its number. */
  syscall: Call<number>;
  /** Calls a function, by its address. */
  call: Call<bigint>;
  /** Makes the system calls that the words hold after the first seven, until a number is negative. */
  series(): void;
  /** Has the first word become the address of the memory. */
  address(memory: NodeJS.ArrayBufferView): void;
}

let addon: Addon | undefined;
/** The shared words. The first is the last result. */
let words: BigInt64Array;
const functions = new Map<string, bigint>();
let ending: bigint;

/** Whether this process has loaded the addon yet, at its first call. */
export function isLoaded(): boolean {
  return addon !== undefined;
}

/** Loads the addon at first use. */
function load(): Addon {
  if (addon !== undefined) return addon;
  const module = { exports: {} as Addon };
  process.dlopen(module, addonPath());
  addon = module.exports;
  words = new BigInt64Array(addon.words);
  functions.set("dlsym", words[0] as bigint);
  ending = words[1] as bigint;
  return addon;
}

/** The address of a handler of signals, for sigaction(2), that ends this process with 128 + the signal's number. */
export function endingHandler(): bigint {
  load();
  return ending;
}

/** Closes the addon's descriptor, which the next program would inherit; the addon stays loaded. */
export function closeAddon(): void {
  load();
  const fd = Number(process.env[VARIABLES.addon]);
  if (!Number.isNaN(fd)) syscall("close_range", fd, fd, 0);
  delete process.env[VARIABLES.addon];
}

/**
 * Makes a system call.
 * @returns the call's result, or `-errno`, as the kernel itself returns it
 * @throws {TypeError} for a string with a NUL in it
 */
export function syscall(
  name: SyscallName,
  a?: Argument,
  b?: Argument,
  c?: Argument,
  d?: Argument,
  e?: Argument,
  f?: Argument,
): number {
  // Written out: hundreds of calls are made for a container, in the interpreter.
  const { syscall } = addon ?? load();
  const number = syscallNumbers[name];
  return syscall(number, a, b, c, d, e, f) ?? (syscall(number, ...[a, b, c, d, e, f].map(asMemory)) as number);
}

/** A string as memory with a NUL at its end, whatever its length. */
function asMemory(value: Argument | undefined): Argument | undefined {
  if (typeof value !== "string") return value;
  if (value.includes("\0")) throw new TypeError(`a NUL in ${JSON.stringify(value)}`);
  return encode(`${value}\0`);
}

/** Words of one call: its number and six arguments. */
const CALL_WORDS = 7;

/**
 * Makes system calls one after the other, with no code and no data of the engine used between them.
 * @param calls with integers, addresses and memory for arguments; no strings
 * @returns each one's result, as of {@link syscall}
 * @throws {RangeError} for more calls than there is room for, which is for more than twenty
 */
export function syscallSeries(calls: readonly (readonly [SyscallName, ...Exclude<Argument, string>[]])[]): number[] {
  const { series } = load();
  const end = CALL_WORDS * (calls.length + 1);
  if (end >= words.length) throw new RangeError(`no room for ${calls.length} system calls`);
  calls.forEach(([name, ...args], index) => {
    const at = CALL_WORDS * (index + 1);
    words[at] = BigInt(syscallNumbers[name]);
    args.forEach((value, argument) => {
      words[at + 1 + argument] = asWord(value);
    });
  });
  words[end] = -1n;
  series();
  return calls.map((_, index) => Number(words[CALL_WORDS * (index + 1)]));
}

function asWord(value: Exclude<Argument, string>): bigint {
  if (typeof value === "object") return value === null ? 0n : addressOf(value);
  return BigInt(value);
}

/**
 * Calls a function of libc with up to six arguments.
 * @returns the result register; a function that returns an `int` leaves its upper half undefined
 * @throws {TypeError} for a string with a NUL in it
 * @throws {Error} when libc has no such function
 */
export function libc(name: string, ...args: readonly Argument[]): bigint {
  const { call } = load();
  const address = functions.get(name) ?? find(name);
  if (call(address, ...args) === undefined) call(address, ...args.map(asMemory));
  return words[0] as bigint;
}

function find(name: string): bigint {
  const RTLD_DEFAULT = 0;
  const address = libc("dlsym", RTLD_DEFAULT, name);
  if (address === 0n) throw new Error(`libc has no function ${name}`);
  functions.set(name, address);
  return address;
}

/** The address of a buffer's memory, to be stored in a struct. Keep a reference to the buffer until after the call. */
export function addressOf(memory: NodeJS.ArrayBufferView): bigint {
  if (memory.byteLength === 0) return 0n;
  load().address(memory);
  return words[0] as bigint;
}

/** The launcher hands it over as an open file in memory; when the source is run, in the repository, the build's is taken. */
function addonPath(): string {
  if (!isCompiled) return `${process.cwd()}/build/syscall.node`;
  return `/proc/self/fd/${Number(process.env[VARIABLES.addon])}`;
}
