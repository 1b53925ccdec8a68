/**
 * A program that is started under ptrace(2) so that its memory can be written to a file and be mapped again, in any other process, at
 * the same addresses: see `snapshot.ts`.
 *
 * - It is executed without a limit for its stack. For that the kernel leaves five sixths of all addresses, and gives out memory below; a new
 *   process's stack, and what it maps by itself, are at high ones, out of the way. (personality(2) has a flag for the same, but Podman's and
 *   Docker's filters of system calls refuse that one, and a build in a container would have to do without a snapshot.)
 * - Its stack is where the kernel does not put one.
 * - It does not know of the vDSO, the kernel's own code in each process, which is somewhere else in each.
 *
 * @see ptrace(2), vdso(7), getauxval(3)
 */
import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, readlinkSync, readSync, writeSync } from "node:fs";
import { check } from "../sys/error.ts";
import { syscall } from "../sys/ffi.ts";
import { RLIM_INFINITY, setLimit } from "../sys/rlimit.ts";
import { socketpair } from "../sys/socket.ts";
import { SYSCALL_NUMBERS } from "./syscall-numbers.ts";

/** Requests of ptrace(2). */
const REQUEST = { CONT: 7, SINGLESTEP: 9, GETREGS: 12, SETREGS: 13, SEIZE: 0x4206 } as const;
/** Options: kill it when this process ends, stop it at its execve. */
const OPTIONS = 0x100000 | 0x10;
const EVENT_EXEC = 4;
const [SIGTRAP, SIGSTOP, SIGKILL] = [5, 19, 9];

/** The registers, in the order of `struct user_regs_struct`. */
const REGISTERS =
  "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs".split(
    " ",
  );
export type Registers = Record<string, bigint>;

/** In bytes: between what the kernel gives out to such a process and what it puts into a new one. @see arch/x86/mm/mmap.c, mmap_base */
export const STACK = { start: 0x2000_0000_0000, size: 0x800000 };
const PAGE = 0x1000;
const WORD = 8;

/** Entries of the auxiliary vector. */
const AUXILIARY = { end: 0n, platform: 15n, random: 25n, executable: 31n };
/** Not handed on: the vDSO, and where the kernel has put what few programs ask for. */
const OMITTED: ReadonlySet<bigint> = new Set([24n /* AT_BASE_PLATFORM */, 33n /* AT_SYSINFO_EHDR */]);

/** A part of a process's memory, as `/proc/<pid>/maps` has it. */
export interface Mapping {
  /** Addresses, in bytes; `end` is behind it. */
  start: number;
  end: number;
  /** `rwxp`, with `-` for each that it has not. */
  permissions: string;
  /** In the file at `path`, in bytes. */
  offset: number;
  /** Or a name in brackets, or nothing. */
  path: string;
}

/** Reads the text of `/proc/<pid>/maps`. @see proc_pid_maps(5) */
export function parseMappings(text: string): Mapping[] {
  const lines = text.matchAll(/^([0-9a-f]+)-([0-9a-f]+) (\S{4}) ([0-9a-f]+) \S+ \d+ *(.*)$/gm);
  return Array.from(lines, ([, start = "", end = "", permissions = "", offset = "", path = ""]) => ({
    start: Number.parseInt(start, 16),
    end: Number.parseInt(end, 16),
    permissions,
    offset: Number.parseInt(offset, 16),
    path,
  }));
}

/** How a program is started. */
export interface Program {
  /** Its name in `/proc`: absolute, without symlinks. */
  path: string;
  /** `NAME=value` strings. */
  environment: readonly string[];
  /** A descriptor for what it writes. */
  output: number;
}

/** A program that stands still. */
export class Tracee implements Disposable {
  #memory = -1;
  /** What it has got as AT_RANDOM. */
  readonly random: Uint8Array = crypto.getRandomValues(new Uint8Array(16));
  /** The signal to go on with; `null` while it runs. */
  #stopped: number | null = null;

  private constructor(readonly pid: number) {}

  /**
   * Starts a program, and waits until it stops itself by SIGSTOP.
   * @throws {Error} when it ends instead, or may not be traced
   */
  static start({ path, environment, output }: Program): Tracee {
    const [ours, theirs] = socketpair();
    // A shell, which waits until it is traced, and then becomes the program.
    const child = spawn("/bin/sh", ["-c", 'read -r go && ulimit -s unlimited && exec "$0"', path], {
      stdio: [theirs.number, output, output],
      cwd: "/",
      env: {},
    });
    const { pid } = child;
    // That somebody else, we, has reaped it.
    child.on("error", () => {});
    if (pid === undefined) throw new Error("cannot start /bin/sh");
    check(syscall("ptrace", REQUEST.SEIZE, pid, 0, OPTIONS), `trace process ${pid}`);
    writeSync(ours.number, "\n");
    const tracee = new Tracee(pid);
    // It may be traced before it has become the shell.
    do tracee.#waitFor(SIGTRAP, EVENT_EXEC);
    while (tracee.#executable !== path);
    // Not earlier: it is the memory that the process has when it is opened.
    tracee.#memory = openSync(`/proc/${pid}/mem`, "r+");
    // It reads the limit to find out how much stack it has.
    setLimit(pid, "RLIMIT_STACK", { soft: BigInt(STACK.size), hard: RLIM_INFINITY });
    tracee.#moveStack(path, environment);
    tracee.#waitFor(SIGSTOP, 0);
    ours.close();
    theirs.close();
    return tracee;
  }

  [Symbol.dispose](): void {
    closeSync(this.#memory);
    syscall("kill", this.pid, SIGKILL);
  }

  get registers(): Registers {
    const words = new BigUint64Array(REGISTERS.length);
    this.#request("GETREGS", words);
    return Object.fromEntries(REGISTERS.map((name, index) => [name, words[index] as bigint]));
  }

  set registers(registers: Registers) {
    this.#request("SETREGS", BigUint64Array.from(REGISTERS.map((name) => registers[name] ?? 0n)));
  }

  get mappings(): Mapping[] {
    return parseMappings(this.proc("maps").toString());
  }

  /** A file of its directory in `/proc`. */
  proc(name: string): Buffer {
    return readFileSync(`/proc/${this.pid}/${name}`);
  }

  /** A part of such a file, in bytes. */
  procPart(name: string, offset: number, length: number): Buffer {
    const fd = openSync(`/proc/${this.pid}/${name}`, "r");
    const bytes = Buffer.alloc(length);
    const read = readSync(fd, bytes, 0, length, offset);
    closeSync(fd);
    return bytes.subarray(0, read);
  }

  read(address: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let done = 0; done < length; ) {
      done += readSync(this.#memory, bytes, done, length - done, address + done);
    }
    return bytes;
  }

  write(address: number, bytes: Uint8Array): void {
    writeSync(this.#memory, bytes, 0, bytes.length, address);
  }

  /** Moves the stack of a program that has just been executed, and leaves out of its auxiliary vector what it shall not know. */
  #moveStack(path: string, environment: readonly string[]): void {
    const [READ_WRITE, PRIVATE_ANONYMOUS_FIXED] = [3n, 0x100022n];
    const { start, size } = STACK;
    this.#call([SYSCALL_NUMBERS.x86_64.mmap, start, size, READ_WRITE, PRIVATE_ANONYMOUS_FIXED, -1, 0].map(BigInt));
    const top = start + size - PAGE;
    const texts: Uint8Array[] = [];
    let length = 0;
    const place = (bytes: Uint8Array) => {
      texts.push(bytes);
      length += bytes.length;
      return BigInt(top + length - bytes.length);
    };
    const text = (value: string) => place(Buffer.from(`${value}\0`));
    const words = [1n, text("tsrunc"), 0n, ...environment.map(text), 0n];
    const auxiliary = this.proc("auxv");
    for (let at = 0; at < auxiliary.length; at += 2 * WORD) {
      const tag = auxiliary.readBigUInt64LE(at);
      let value = auxiliary.readBigUInt64LE(at + WORD);
      if (OMITTED.has(tag)) continue;
      if (tag === AUXILIARY.platform) value = text("x86_64");
      if (tag === AUXILIARY.executable) value = text(path);
      if (tag === AUXILIARY.random) value = place(this.random);
      words.push(tag, value);
      if (tag === AUXILIARY.end) break;
    }
    this.write(top, Buffer.concat(texts));
    const pointer = top - 2 * WORD * Math.ceil(words.length / 2); // aligned to 16 bytes, as the ABI wants it
    this.write(pointer, new Uint8Array(BigUint64Array.from(words).buffer));
    this.registers = { ...this.registers, rsp: BigInt(pointer) };
  }

  /** Has it make a system call. @param words its number and its arguments */
  #call(words: readonly bigint[]): void {
    const before = this.registers;
    const at = Number(before["rip"]);
    const code = this.read(at, 2);
    this.write(at, Uint8Array.of(0x0f, 0x05));
    const names = ["rax", "rdi", "rsi", "rdx", "r10", "r8", "r9"];
    const given = Object.fromEntries(names.map((name, index) => [name, BigInt.asUintN(64, words[index] ?? 0n)]));
    // Out of the execve first, whose result would overwrite a register.
    this.#step();
    this.registers = { ...before, ...given, orig_rax: 0xffff_ffff_ffff_ffffn };
    this.#step();
    const result = BigInt.asIntN(64, this.registers["rax"] ?? 0n);
    if (result < 0n) throw new Error(`system call ${words[0]} of the traced process: errno ${-result}`);
    this.write(at, code);
    this.registers = before;
  }

  #step(): void {
    this.#request("SINGLESTEP", 0);
    this.#wait();
  }

  /** Lets it go on until a stop of that kind. */
  #waitFor(signal: number, event: number): void {
    for (;;) {
      if (this.#stopped !== null) this.#request("CONT", this.#stopped);
      const stop = this.#wait();
      this.#stopped = stop.event === 0 ? stop.signal : 0;
      if (stop.signal === signal && stop.event === event) return;
    }
  }

  get #executable(): string {
    return readlinkSync(`/proc/${this.pid}/exe`);
  }

  #wait(): { signal: number; event: number } {
    const word = new Int32Array(1);
    check(syscall("wait4", this.pid, word, 0, 0), `wait for process ${this.pid}`);
    const status = word[0] as number;
    const STOPPED = 0x7f;
    if ((status & 0xff) !== STOPPED) throw new Error(`the program has ended: wait status ${status}`);
    return { signal: (status >> 8) & 0xff, event: status >> 16 };
  }

  #request(request: keyof typeof REQUEST, data: number | BigUint64Array): void {
    check(syscall("ptrace", REQUEST[request], this.pid, 0, data), `ptrace ${request}`);
  }
}
