/**
 * What a snapshot (`snapshot.ts`) begins with when it is executed: the kernel has mapped what was written to memory, and this does the
 * rest before the program goes on where it stood. It
 *
 * 0. where the engine is to start anew (`tsrunc-plain`), loads that instead, see `loader.ts`;
 * 1. on a processor that lacks what the program has found on the one that it was started on, and uses, executes another: the launcher
 *    of an engine that starts anew, `tsrunc-plain`;
 * 2. maps the memory that nothing was written to, and sets what else the kernel keeps for a process;
 * 3. tells libc where its heap may grow, which the kernel chooses anew;
 * 4. renews libc's secrets, see `secrets.ts`;
 * 5. returns from the system call in which the program stood still: with the address of its arguments and its environment, as the
 *    kernel puts them on the stack of a new process.
 *
 * @see System V ABI, AMD64 supplement, "Process Initialization"
 */
import { ENGINE_SUFFIX, PLAIN_SUFFIX, VARIABLES } from "../sys/executable.ts";
import { executable, layOut, layOutWords } from "./elf.ts";
import { type LoadedProgram, load, loaderData } from "./loader.ts";
import { checkProcessor, processorData } from "./processor.ts";
import { ROTATION, type Secret } from "./secrets.ts";
import { SYSCALL_NUMBERS } from "./syscall-numbers.ts";
import { RESUMED, X86Assembler } from "./x86-64.ts";

/** A system call: its number and its arguments. */
export type Call = readonly number[];

/** What there is to do. Addresses are those of the process. */
export interface Resumption {
  /** Which system calls to make, in their order. One that fails ends the process. */
  calls: readonly Call[];
  /** Where libc's secrets are, in bytes; and what is to be called once they are renewed: to make memory read-only again. */
  secrets: Readonly<Record<Secret, readonly number[]>>;
  protections: readonly Call[];
  /** Signals to ignore. */
  ignored: readonly number[];
  /** Where libc keeps the end of its heap. */
  heapEnd: bigint;
  /** By their names in ptrace(2). */
  registers: Readonly<Record<string, bigint>>;
  /** What the processor must have, by the names of `/proc/cpuinfo`. */
  features: ReadonlySet<string>;
  /** What to start anew, where that is asked for, in the place of all memory up to `end`; `null` for a program that cannot. */
  plain: { program: LoadedProgram; end: number } | null;
}

/** Words of a call. */
const CALL_WORDS = 7;
const SIGNAL_MASK_BYTES = 8;
const STDERR = 2;
/** Where the first piece of data is: at the beginning of the second page. */
const FIRST_DATA = 0x1000;

/** The calls that are made for a snapshot. */
const MADE = ["mmap", "mprotect", "rt_sigaction", "arch_prctl"] as const;

const MESSAGES = {
  ...(Object.fromEntries(MADE.map((name) => [name, `${name}\n`])) as Record<(typeof MADE)[number], string>),
  refused: "tsrunc: the engine cannot be mapped into memory: a filter of system calls (seccomp) refuses ",
  noPlain:
    "tsrunc: the engine was built on a processor that has more than this one, and the one for others, tsrunc-plain, is not beside it\n",
  noMemory: "tsrunc: the engine cannot be mapped into memory: is there a limit (ulimit -v, vm.overcommit_memory)?\n",
  notLoaded: "tsrunc: cannot load the engine that starts anew: is the machine's libc there, and /proc?\n",
  noRandom: "tsrunc: the kernel has given this process no random bytes (AT_RANDOM)\n",
};

const at = (address: string) => ({ address });

/**
 * The program, as an executable: a page of code, which is entered at its entry, and data.
 * @param base where its first byte will be in memory
 */
export function resumer(base: number, resumption: Resumption): Uint8Array {
  const { calls, secrets, protections, ignored, heapEnd, registers, features, plain } = resumption;
  const numbers = SYSCALL_NUMBERS.x86_64;
  const machine = new X86Assembler(numbers);
  program(machine, plain !== null);
  const ignore = ignored.map((signal) => [numbers.rt_sigaction, signal, base + FIRST_DATA, 0, SIGNAL_MASK_BYTES]);
  const data = layOut("x86_64", {
    ignore: layOutWords([1n, 0n, 0n, 0n]), // struct kernel_sigaction: SIG_IGN
    calls: callList([...calls, ...ignore]),
    protections: callList(protections),
    ...Object.fromEntries(
      Object.entries(secrets).map(([secret, places]) => [secret, layOutWords([...places.map(BigInt), 0n])]),
    ),
    heapEnd: layOutWords([heapEnd]),
    registers: layOutWords(RESUMED.map((name) => registers[name] ?? 0n)),
    ...processorData(features),
    pathVariable: PATH_VARIABLE,
    plainVariable: PLAIN_VARIABLE,
    ...(plain !== null && loaderData(plain.program, plain.end)),
    plainPath: PATH_MAX,
    plainSuffix: PLAIN_SUFFIX.padEnd(ENGINE_SUFFIX.length, "\0"),
    ...MESSAGES,
  });
  return executable("x86_64", machine.assemble(data.addresses), data);
}

function program(machine: X86Assembler, startsAnew: boolean): void {
  machine.getStack("f");
  if (startsAnew) {
    findVariable(machine, "plainVariable", "not anew");
    load(machine, "not loaded");
    machine.label("not anew");
  }
  checkProcessor(machine, "other processor");
  makeCalls(machine, "calls");
  renewSecrets(machine);
  makeCalls(machine, "protections");
  machine.syscall("brk", 0);
  machine.set("a", at("heapEnd"));
  machine.load("a", "a", 0, 8);
  machine.store("result", "a", 0, 8);
  machine.copy("result", "f");
  machine.resume("registers");
  executePlain(machine);
  explainFailure(machine);
  for (const [label, message] of [
    ["no plain", "noPlain"],
    ["no memory", "noMemory"],
    ["no random", "noRandom"],
    ...(startsAnew ? ([["not loaded", "notLoaded"]] as const) : []),
  ] as const) {
    machine.label(label);
    say(machine, message);
    machine.syscall("exit_group", 1);
  }
}

/** Of the call whose number is in `b`: a filter that does not let it through says EPERM or ENOSYS, and the kernel ENOMEM and others. */
function explainFailure(machine: X86Assembler): void {
  const [EPERM, ENOSYS] = [1, 38];
  machine.label("failed call");
  machine.copy("c", "result");
  machine.add("c", EPERM);
  machine.jumpIf("zero", "c", "refused call");
  machine.add("c", ENOSYS - EPERM);
  machine.jumpIf("not zero", "c", "no memory");
  machine.label("refused call");
  say(machine, "refused");
  let subtracted = 0;
  for (const name of MADE) {
    const number = SYSCALL_NUMBERS.x86_64[name];
    machine.add("b", subtracted - number);
    machine.jumpIf("zero", "b", `refused ${name}`);
    subtracted = number;
  }
  machine.syscall("exit_group", 1);
  for (const name of MADE) {
    machine.label(`refused ${name}`);
    say(machine, name);
    machine.syscall("exit_group", 1);
  }
}

function say(machine: X86Assembler, message: keyof typeof MESSAGES): void {
  machine.syscall("write", STDERR, at(message), MESSAGES[message].length);
}

function makeCalls(machine: X86Assembler, list: string): void {
  machine.set("a", at(list));
  machine.label(`next of ${list}`);
  machine.load("b", "a", 0, 8);
  machine.jumpIf("negative", "b", `all ${list}`);
  machine.syscallWith("a");
  machine.jumpIf("negative", "result", "failed call");
  machine.add("a", 8 * CALL_WORDS);
  machine.jump(`next of ${list}`);
  machine.label(`all ${list}`);
}

/** By the bits that the kernel has put beside this process's arguments; see `secrets.ts`. */
function renewSecrets(machine: X86Assembler): void {
  findRandom(machine);
  machine.load("b", "a", 0, 8);
  machine.load("c", "a", 8, 8);
  machine.set("a", -0x100);
  machine.and("b", "a");
  changeWords(machine, "canary", "b");
  changeWords(machine, "guard", "c");
  machine.rotateLeft("c", ROTATION);
  changeWords(machine, "mangled", "c");
}

/** XORs each word whose address is in the list. Uses `a`, `d` and `e`. */
function changeWords(machine: X86Assembler, list: Secret, difference: "b" | "c"): void {
  machine.set("d", at(list));
  machine.label(`next ${list}`);
  machine.load("a", "d", 0, 8);
  machine.jumpIf("zero", "a", `every ${list}`);
  machine.load("e", "a", 0, 8);
  machine.xor("e", difference);
  machine.store("e", "a", 0, 8);
  machine.add("d", 8);
  machine.jump(`next ${list}`);
  machine.label(`every ${list}`);
}

/** Afterwards: `a` is the address of 16 random bytes. The auxiliary vector, pairs of words, follows the environment. */
function findRandom(machine: X86Assembler): void {
  const AT_RANDOM = 25;
  findEnvironment(machine);
  machine.label("skip variable");
  machine.load("b", "a", 0, 8);
  machine.add("a", 8);
  machine.jumpIf("not zero", "b", "skip variable");
  machine.label("next entry");
  machine.load("b", "a", 0, 8);
  machine.jumpIf("zero", "b", "no random");
  machine.add("a", 16);
  machine.add("b", -AT_RANDOM);
  machine.jumpIf("not zero", "b", "next entry");
  machine.load("a", "a", -8, 8);
}

/** Afterwards: `a` is the environment's address. Uses `b`. */
function findEnvironment(machine: X86Assembler): void {
  // Of the stack that `f` points to: argc, the arguments, NULL, the environment, NULL.
  machine.load("b", "f", 0, 8);
  for (let times = 1; times < 8; times *= 2) machine.add("b", "b");
  machine.copy("a", "f");
  machine.add("a", "b");
  machine.add("a", 16);
}

/** The variable that has the engine's path, up to the path's first character: two words of 64 bits. */
const PATH_VARIABLE = `${VARIABLES.engine}=/`;
/** The variable by which the engine is asked to start anew: as many with the NUL behind it. */
const PLAIN_VARIABLE = `${VARIABLES.plain}=1`;
const PATH_MAX = 4096;

/** Executes the launcher of the engine that starts anew, with the arguments and the environment of this process. */
function executePlain(machine: X86Assembler): void {
  machine.label("other processor");
  findVariable(machine, "pathVariable", "no plain");
  // The arguments.
  machine.copy("a", "f");
  machine.add("a", 8);
  machine.add("e", PATH_VARIABLE.length - 1);
  machine.set("d", at("plainPath"));
  machine.label("next character");
  machine.load("b", "e", 0, 1);
  machine.store("b", "d", 0, 1);
  machine.add("e", 1);
  machine.add("d", 1);
  machine.jumpIf("not zero", "b", "next character");
  machine.set("b", at("plainSuffix"));
  machine.load("b", "b", 0, 8);
  machine.store("b", "d", -(ENGINE_SUFFIX.length + 1), 8);
  machine.syscall("execve", at("plainPath"), "a", "c");
  machine.jump("no plain");
}

/** Afterwards: `e` is the address of the variable that begins with 16 given bytes, `c` that of the environment. */
function findVariable(machine: X86Assembler, beginning: string, missing: string): void {
  findEnvironment(machine);
  machine.copy("c", "a");
  machine.copy("d", "c");
  machine.label(`next for ${beginning}`);
  machine.load("e", "d", 0, 8);
  machine.jumpIf("zero", "e", missing);
  machine.add("d", 8);
  for (const half of [0, 8]) {
    machine.load("b", "e", half, 8);
    machine.set("result", at(beginning));
    machine.load("result", "result", half, 8);
    machine.jumpIfEqual("b", "result", `${beginning} up to ${half + 8}`);
    machine.jump(`next for ${beginning}`);
    machine.label(`${beginning} up to ${half + 8}`);
  }
}

function callList(calls: readonly Call[]): Uint8Array {
  return layOutWords([...calls.flatMap(padded), -1n]);
}

function padded(call: Call): bigint[] {
  return Array.from({ length: CALL_WORDS }, (_, index) => BigInt(call[index] ?? 0));
}
