/**
 * The one door to the kernel and to libc: system calls, and functions of libc by name.
 *
 * Behind it is the addon of `src/machine/addon.ts`, which shares words of 64 bits with us: a call is made by writing
 * its number or address and its arguments there.
 */

import { isCompiled, VARIABLES } from "./executable.ts";
import { type SyscallName, syscallNumbers } from "./syscall-numbers.ts";
import { encode } from "./text.ts";

/** What a call takes: an integer, an address, memory to read or write, a string without NUL, or NULL. */
export type Argument = number | bigint | NodeJS.ArrayBufferView | string | null;

interface Addon {
  /** The shared words. */
  words: ArrayBuffer;
  /** Makes the system call that the words hold; the first becomes its result. */
  syscall(): void;
  /** Makes those that follow it, until a number is negative. */
  series(): void;
  /** The same for a function. */
  call(): void;
  /** Has the first word become the address of the memory. */
  address(memory: NodeJS.ArrayBufferView): void;
}

let addon: Addon | undefined;
/** The shared words, as whole ones and as their halves. */
let words: BigInt64Array;
let halves: Int32Array;
/** What strings are copied to, which must live until the call is over. */
let copies: Uint8Array[] = [];
const functions = new Map<string, bigint>();

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
  halves = new Int32Array(addon.words);
  functions.set("dlsym", words[0] as bigint);
  return addon;
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
  a: Argument = 0,
  b: Argument = 0,
  c: Argument = 0,
  d: Argument = 0,
  e: Argument = 0,
  f: Argument = 0,
): number {
  const { syscall } = addon ?? load();
  passAll(a, b, c, d, e, f);
  halves[0] = syscallNumbers[name];
  halves[1] = 0;
  syscall();
  // Two halves, of which the upper one has the sign.
  return (halves[1] as number) * 2 ** 32 + ((halves[0] as number) >>> 0);
}

/**
 * Makes a system call of two arguments for each of many values of the second, in half the time.
 * @param seconds integers of 31 bits
 * @returns each one's result, as of {@link syscall}, when that fits into 32 bits
 */
export function syscallEach(name: SyscallName, first: number, seconds: readonly number[]): number[] {
  const { syscall } = addon ?? load();
  const number = syscallNumbers[name];
  const results: number[] = [];
  passAll(first, 0, 0, 0, 0, 0);
  for (const second of seconds) {
    halves[0] = number;
    halves[1] = 0;
    halves[4] = second;
    syscall();
    results.push(halves[0] as number);
  }
  return results;
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
    args.forEach((value, argument) => pass(at + 1 + argument, value));
  });
  words[end] = -1n;
  series();
  return calls.map((_, index) => Number(words[CALL_WORDS * (index + 1)]));
}

/**
 * Calls a function of libc with up to six arguments.
 * @returns the result register; a function that returns an `int` leaves its upper half undefined
 * @throws {Error} when libc has no such function
 */
export function libc(name: string, ...args: readonly Argument[]): bigint {
  const { call } = load();
  const address = functions.get(name) ?? find(name);
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args;
  passAll(a, b, c, d, e, f);
  words[0] = address;
  call();
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

/** Written out for small integers, which most arguments are: hundreds of calls are made for a container, in the interpreter. */
function passAll(a: Argument, b: Argument, c: Argument, d: Argument, e: Argument, f: Argument): void {
  if (copies.length > 0) copies = [];
  if (typeof a === "number" && (a | 0) === a) {
    halves[2] = a;
    halves[3] = a >> 31;
  } else pass(1, a);
  if (typeof b === "number" && (b | 0) === b) {
    halves[4] = b;
    halves[5] = b >> 31;
  } else pass(2, b);
  if (typeof c === "number" && (c | 0) === c) {
    halves[6] = c;
    halves[7] = c >> 31;
  } else pass(3, c);
  if (typeof d === "number" && (d | 0) === d) {
    halves[8] = d;
    halves[9] = d >> 31;
  } else pass(4, d);
  if (typeof e === "number" && (e | 0) === e) {
    halves[10] = e;
    halves[11] = e >> 31;
  } else pass(5, e);
  if (typeof f === "number" && (f | 0) === f) {
    halves[12] = f;
    halves[13] = f >> 31;
  } else pass(6, f);
}

function pass(index: number, value: Argument): void {
  if (typeof value === "number") words[index] = BigInt(value);
  else if (typeof value === "bigint") words[index] = value;
  else if (value === null) words[index] = 0n;
  else if (typeof value !== "string") words[index] = addressOf(value);
  else {
    if (value.includes("\0")) throw new TypeError(`a NUL in ${JSON.stringify(value)}`);
    const copy = encode(`${value}\0`);
    copies.push(copy);
    words[index] = addressOf(copy);
  }
}

/** The launcher hands it over as an open file in memory; when the source is run, in the repository, the build's is taken. */
function addonPath(): string {
  if (!isCompiled) return `${process.cwd()}/build/syscall.node`;
  return `/proc/self/fd/${Number(process.env[VARIABLES.addon])}`;
}
