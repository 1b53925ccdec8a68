/**
 * The environment that the caller gave this program, and the forgetting of it: it may hold secrets, and an init that waits for
 * `start` would keep it in memory and in `/proc/<pid>/environ`, where processes of the container look.
 */
import { readFileSync } from "node:fs";
import { syscall } from "./ffi.ts";
import { readText } from "./file.ts";
import { decode, encode } from "./text.ts";

/** Where the kernel put something in this process's memory. */
export interface MemoryRange {
  start: bigint;
  end: bigint;
}

let kept: Uint8Array | null = null;

const [NUL, EQUALS] = [0, 0x3d];

/**
 * Variables by name, as `process.env` has them: read from the given memory each time, so that there is one copy to forget, and nothing is
 * made of those that nobody asks for. (A property for each was a third of the pages that a `state` writes to.)
 * @param bytes `NAME=value` texts, each with a NUL at its end
 */
export function environmentIn(bytes: Uint8Array): Record<string, string> {
  kept = bytes;
  return new Proxy(Object.create(null), new Variables(bytes));
}

/**
 * Gives `process` its environment by the bytes, where an engine that has started anew has made U+FFFD of some. To be called before koffi is
 * loaded, which is looked for beside the engine, whose path is a variable.
 */
export function restoreEnvironment(): void {
  if (Object.entries(process.env).some((variable) => variable.join("=").includes("\ufffd")))
    process.env = environmentIn(readFileSync("/proc/self/environ"));
}

class Variables implements ProxyHandler<Record<string, string>> {
  /** Where what was deleted is no more. */
  #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get(_: object, name: string | symbol): string | undefined {
    const entry = this.#find(name);
    return entry === undefined ? undefined : decode(this.#bytes.subarray(entry.equals + 1, entry.end));
  }

  has(_: object, name: string | symbol): boolean {
    return this.#find(name) !== undefined;
  }

  set(_: object, name: string | symbol, value: unknown): boolean {
    while (this.#remove(name));
    const before = this.#bytes;
    const more = encode(`${String(name)}=${String(value)}\0`);
    this.#bytes = new Uint8Array(before.length + more.length);
    this.#bytes.set(before);
    this.#bytes.set(more, before.length);
    before.fill(NUL);
    kept = this.#bytes;
    return true;
  }

  deleteProperty(_: object, name: string | symbol): boolean {
    while (this.#remove(name));
    return true;
  }

  ownKeys(): string[] {
    const names = [...this.#entries()].map(({ start, equals }) => decode(this.#bytes.subarray(start, equals)));
    return [...new Set(names)];
  }

  getOwnPropertyDescriptor(target: object, name: string | symbol): PropertyDescriptor | undefined {
    const value = this.get(target, name);
    return value === undefined ? undefined : { value, writable: true, enumerable: true, configurable: true };
  }

  /** As getenv(3) finds the first of two. */
  #find(name: string | symbol): VariableRange | undefined {
    if (typeof name !== "string") return undefined;
    const wanted = encode(name);
    for (const entry of this.#entries()) {
      if (entry.equals - entry.start === wanted.length && this.#begins(entry.start, wanted)) return entry;
    }
    return undefined;
  }

  #begins(start: number, wanted: Uint8Array): boolean {
    for (let index = 0; index < wanted.length; index++) {
      if (this.#bytes[start + index] !== wanted[index]) return false;
    }
    return true;
  }

  /** @returns whether there was one */
  #remove(name: string | symbol): boolean {
    const entry = this.#find(name);
    if (entry === undefined) return false;
    const bytes = this.#bytes;
    bytes.copyWithin(entry.start, entry.end + 1);
    const length = bytes.length - (entry.end + 1 - entry.start);
    bytes.fill(NUL, length);
    this.#bytes = bytes.subarray(0, length);
    return true;
  }

  /** Not what has no name or no value. */
  *#entries(): Generator<VariableRange> {
    const bytes = this.#bytes;
    for (let start = 0; start < bytes.length; ) {
      const found = bytes.indexOf(NUL, start);
      const end = found < 0 ? bytes.length : found;
      const equals = bytes.indexOf(EQUALS, start);
      if (equals > start && equals < end) yield { start, equals, end };
      start = end + 1;
    }
  }
}

/** Where a variable is: its name from `start` to `equals`, its value from there to `end`. */
interface VariableRange {
  start: number;
  equals: number;
  end: number;
}

/** Where this process's environment is on its stack. @see proc_pid_stat(5), env_start and env_end, Linux 3.5 */
export function environmentRange(): MemoryRange {
  const stat = readText("/proc/self/stat");
  // From the third field on, what comes before may contain spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [FIRST, ENV_START, ENV_END] = [3, 50, 51];
  return { start: BigInt(fields[ENV_START - FIRST] ?? 0), end: BigInt(fields[ENV_END - FIRST] ?? 0) };
}

/**
 * Overwrites the environment. An engine that is no snapshot has copies that it cannot reach.
 * @param range {@link environmentRange}, asked for where `/proc` is certain to be the host's
 */
export function forgetEnvironment({ start, end }: MemoryRange): void {
  kept?.fill(0);
  const length = Number(end - start);
  if (length > 0) syscall("memcpy", start, new Uint8Array(length), length);
}
