/**
 * libseccomp, the host's own: it gets its updates from there.
 *
 * To be used by a process whose libc is the host's, too: the plain engine, never a snapshot, which has the builder's in its memory.
 */
import { ERRNO } from "./errno.ts";
import { SyscallError } from "./error.ts";
import type { Fd } from "./fd.ts";
import { load } from "./ffi.ts";
import { realPath } from "./file.ts";
import { findStat } from "./stat.ts";

/**
 * Where Debian, Fedora, Alpine and SUSE have it, for a processor by Node's name. A machine of Debian may have the libraries of other
 * processors beside its own, each in a directory of theirs, and only its own can be loaded.
 */
export function libraryDirectories(cpu: string): string[] {
  const multiarch = cpu === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  const shared = ["/usr/lib64", "/lib64", "/usr/local/lib", "/usr/lib", "/lib"];
  return [`/usr/lib/${multiarch}`, `/lib/${multiarch}`, ...shared];
}

/** What is found on disk of the library, without loading it: enough to tell one build of it from another. */
export interface LibraryFile {
  /** Without symlinks; the file's name ends with the version. */
  path: string;
  /** Of its contents: bytes, and when they last changed. */
  size: number;
  changed: string;
}

/** Finds the library; `null` where it is not installed. */
export function findLibseccomp(): LibraryFile | null {
  for (const directory of libraryDirectories(process.arch)) {
    const path = `${directory}/libseccomp.so.2`;
    const stat = findStat(path);
    if (stat !== null) return { path: realPath(path), size: stat.size, changed: String(stat.mtime) };
  }
  return null;
}

/** `struct scmp_arg_cmp`, in bytes: argument and operator of 32 bits, and two words of 64. */
const CONDITION_BYTES = 24;

/** A comparison of an argument. */
export interface Comparison {
  index: number;
  operator: number;
  value: bigint;
  valueTwo: bigint;
}

/** What is called of the library. Declared once for a filter: koffi takes longer to read a prototype than to make most of the calls. */
const PROTOTYPES = {
  init: "void *seccomp_init(uint32_t action)",
  release: "void seccomp_release(void *context)",
  addArchitecture: "int seccomp_arch_add(void *context, uint32_t token)",
  setAttribute: "int seccomp_attr_set(void *context, int attribute, uint32_t value)",
  resolve: "int seccomp_syscall_resolve_name(str name)",
  resolveOn: "int seccomp_syscall_resolve_name_arch(uint32_t token, str name)",
  addRule: "int seccomp_rule_add_array(void *context, uint32_t action, int call, uint count, void *conditions)",
  export: "int seccomp_export_bpf(void *context, int fd)",
} as const;

type Functions = Record<Exclude<keyof typeof PROTOTYPES, "init">, (...args: unknown[]) => number> & {
  init(action: number): unknown;
};

/** `enum scmp_filter_attr` */
const ATTRIBUTES = { optimize: 8 } as const;

/** One filter that is being made. @see seccomp_init(3) and the pages that it names */
export class SeccompFilter implements Disposable {
  readonly #functions: Functions;
  readonly #context: unknown;

  /**
   * @param path of the library
   * @param defaultAction what is done with a call that no rule matches
   * @throws {Error} when the library cannot be loaded, or knows no such action
   */
  constructor(path: string, defaultAction: number) {
    const library = load().koffi.load(path);
    const declared = Object.entries(PROTOTYPES).map(([name, prototype]) => [name, library.func(prototype)]);
    this.#functions = Object.fromEntries(declared) as Functions;
    this.#context = this.#functions.init(defaultAction);
    if (this.#context === null) throw new Error(`libseccomp knows no action 0x${defaultAction.toString(16)}`);
  }

  /** Adds an architecture; one that is there already is fine. @throws {SyscallError} `seccomp_arch_add` */
  addArchitecture(token: number): void {
    const result = this.#functions.addArchitecture(this.#context, token);
    if (result !== -ERRNO.EEXIST) must("seccomp_arch_add", result);
  }

  /**
   * Has the kernel search a binary tree instead of going through the calls one by one. Libraries older than 2.5 do not know how.
   * @returns whether it does
   */
  useBinaryTree(): boolean {
    const TREE = 2;
    return this.#functions.setAttribute(this.#context, ATTRIBUTES.optimize, TREE) === 0;
  }

  /** The number of a call on this machine, negative where it has none by itself; `null` for a name that nobody knows. */
  resolve(name: string): number | null {
    const NOBODY_KNOWS = -1;
    const number = this.#functions.resolve(name);
    return number === NOBODY_KNOWS ? null : number;
  }

  /** The number of a call on an architecture, negative where it has none. */
  resolveOn(token: number, name: string): number {
    return this.#functions.resolveOn(token, name);
  }

  /**
   * Adds a rule: `action` for the call, where all comparisons hold. The same once more is fine.
   * @throws {SyscallError} `seccomp_rule_add_array`: EEXIST when it contradicts one that is there
   */
  addRule(action: number, call: number, comparisons: readonly Comparison[]): void {
    const memory = Buffer.alloc(Math.max(1, comparisons.length) * CONDITION_BYTES);
    comparisons.forEach(({ index, operator, value, valueTwo }, at) => {
      memory.writeUInt32LE(index, at * CONDITION_BYTES);
      memory.writeUInt32LE(operator, at * CONDITION_BYTES + 4);
      memory.writeBigUInt64LE(value, at * CONDITION_BYTES + 8);
      memory.writeBigUInt64LE(valueTwo, at * CONDITION_BYTES + 16);
    });
    const result = this.#functions.addRule(this.#context, action, call, comparisons.length, memory);
    if (result < 0) throw new SyscallError(`seccomp_rule_add_array ${call}`, -result);
  }

  /** Writes the program to a file. @throws {SyscallError} `seccomp_export_bpf` */
  exportTo(file: Fd): void {
    must("seccomp_export_bpf", this.#functions.export(this.#context, file.number));
  }

  [Symbol.dispose](): void {
    this.#functions.release(this.#context);
  }
}

/** @param result 0, or below it the errno */
function must(what: string, result: number): void {
  if (result < 0) throw new SyscallError(what, -result);
}
