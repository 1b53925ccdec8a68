/**
 * The launcher: what `tsrunc` is before it is the engine.
 *
 * The engine must start with an environment that keeps it at one thread, and from a file that nothing in a container can
 * write to (see `stage.ts`). Starting the engine a first time only to arrange that took a third of a container's start, so
 * this program does it instead: a page of machine code, from here, in a fraction of a millisecond. It
 *
 * 0. refuses to run set-user-ID;
 * 1. refuses limits under which the engine cannot be mapped, and opens the standard streams that the caller has closed;
 * 2. finds the engine, by its own path;
 * 3. opens it on a read-only mount of its own, which belongs to no mount namespace: "sealed";
 * 4. reads it in huge pages where the page cache has lost it (see `align.ts`);
 * 5. executes it, with the caller's arguments and environment, and with what is for the engine added to this: settings, where it is no
 *    snapshot (`snapshot.ts`), which has started already.
 *
 * Where the kernel or the caller's rights do not allow 3, the engine is executed as it is, and `stage.ts` sees to it.
 *
 * @see open_tree(2), mount_setattr(2), mincore(2), madvise(2), execveat(2)
 */
import { ENGINE_SUFFIX, MISSING_STREAM, PLAIN_SUFFIX, SET_ID, SINGLE_THREAD, VARIABLES } from "../sys/executable.ts";
import type { Assembler } from "./assembler.ts";
import type { Data, MemoryNeeds } from "./elf.ts";
import { buildEnvironment } from "./launcher-environment.ts";

const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const OPEN_TREE_CLONE = 1;
const O_CLOEXEC = 0o2000000;
const RLIMIT_NOFILE = 7;
/** RLIMIT_AS and RLIMIT_DATA. */
const LIMITS = { whole: 9, data: 2 } as const;
const STDERR = 2;
const PATH_MAX = 4096;
const HEX_DIGITS = 16;
/** How much of the engine is cached together, in bytes: a huge page. */
const HUGE_PAGE = 0x200000;

/** What is told to an engine that starts anew. */
const SETTINGS = Object.entries(SINGLE_THREAD).map(([name, value]) => `${name}=${value}`);

/**
 * What is launched: an engine that starts anew, from a file of its own; a snapshot, which has started; or, by a launcher of another name, the
 * engine that starts anew out of the file of a snapshot, see `loader.ts`.
 */
export type Launched = "engine" | "snapshot" | "plain";

/** Besides what each is told, the path and the limit. */
const TOLD: Readonly<Record<Launched, readonly string[]>> = {
  engine: SETTINGS,
  snapshot: [],
  plain: [...SETTINGS, `${VARIABLES.plain}=1`],
};

const PATH_VARIABLE = `${VARIABLES.engine}=`;
const LIMIT_VARIABLE = `${VARIABLES.softNofile}=0x`;
const MESSAGES = {
  noSelf: "tsrunc: cannot read /proc/self/exe: is /proc mounted?\n",
  noEngine: "tsrunc: cannot execute the engine, which belongs beside tsrunc: ",
  newline: "\n",
  setId: `${SET_ID}\n`,
  whole: "tsrunc: cannot run: the limit of the address space (ulimit -v) is too low\n",
  data: "tsrunc: cannot run: the limit of the data (ulimit -d) is too low\n",
};

/** What the program reads and writes, settings apart. */
const ownData = {
  path: concat(PATH_VARIABLE, PATH_MAX),
  pathLength: 8,
  limit: concat(LIMIT_VARIABLE, HEX_DIGITS + 1),
  sealed: `${VARIABLES.stage}=sealed`,
  unsealed: `${VARIABLES.stage}=unsealed`,
  ...MESSAGES,
  suffix: ENGINE_SUFFIX,
  self: "/proc/self/exe",
  digits: "0123456789abcdef",
  rlimit: 16, // struct rlimit: soft, hard
  // struct mount_attr: attr_set (MOUNT_ATTR_RDONLY), attr_clr, propagation, userns_fd
  readonly: new Uint8Array(BigUint64Array.of(1n, 0n, 0n, 0n).buffer),
  null: "/dev/null",
  cached: 1,
  empty: "",
} satisfies Data;

const at = (name: string) => ({ address: name });

/** What the program reads and writes. */
export function data(launched: Launched): Data {
  return { ...ownData, ...Object.fromEntries(TOLD[launched].map((variable) => [variable, variable])) };
}

/**
 * Writes the program.
 * @param needs the engine's, if known
 */
export function program(machine: Assembler, launched: Launched, needs: MemoryNeeds = { whole: 0, data: 0 }): void {
  refuseSetId(machine);
  refuseLimits(machine, needs);
  openStandardStreams(machine);
  readLimit(machine);
  findEngine(machine, launched === "plain" ? PLAIN_SUFFIX.length : 0);
  openEngine(machine);
  readUncached(machine);
  buildEnvironment(machine, ["path", "limit", ...TOLD[launched]]);
  machine.syscall("execveat", "c", at("empty"), "a", "f", AT_EMPTY_PATH);
  failures(machine);
}

/** Set-user-ID or set-group-ID, this would give everybody what its owner may. */
function refuseSetId(machine: Assembler): void {
  for (const [real, effective] of [
    ["getuid", "geteuid"],
    ["getgid", "getegid"],
  ] as const) {
    machine.syscall(real);
    machine.copy("a", "result");
    machine.syscall(effective);
    machine.jumpIfEqual("a", "result", `${real} is ${effective}`);
    machine.jump("set-id");
    machine.label(`${real} is ${effective}`);
  }
}

/** What the program takes besides: its stack, and what the kernel and libc map, in bytes. */
const OTHER_MEMORY = 0x100000;

/**
 * Where the kernel cannot map the engine, it ends this process by SIGSEGV, without a word: by then nobody is left to say one.
 * @see execve(2); linux/fs/binfmt_elf.c, load_elf_binary, from its point of no return on
 */
function refuseLimits(machine: Assembler, needs: MemoryNeeds): void {
  for (const [what, resource] of Object.entries(LIMITS) as [keyof MemoryNeeds, number][]) {
    if (needs[what] === 0) continue;
    machine.syscall("prlimit64", 0, resource, 0, at("rlimit"));
    machine.set("a", at("rlimit"));
    machine.load("a", "a", 0, 8);
    // In units of 16 bytes, of which no limit, RLIM_INFINITY, is a positive number.
    machine.shiftRight("a", 4);
    machine.add("a", -((needs[what] + OTHER_MEMORY) >>> 4));
    machine.jumpIf("negative", "a", `too low: ${what}`);
  }
}

/** Where the caller has closed one it becomes `/dev/null`: what is opened next must not take its place. */
function openStandardStreams(machine: Assembler): void {
  const first = STDERR + 1;
  machine.label("next stream");
  machine.syscall("openat", AT_FDCWD, at("null"), MISSING_STREAM);
  machine.copy("a", "result");
  machine.jumpIf("negative", "a", "streams open");
  machine.add("a", -first);
  machine.jumpIf("negative", "a", "next stream");
  machine.add("a", first);
  machine.syscall("close_range", "a", "a", 0);
  machine.label("streams open");
}

/** The engine raises its own soft limit of open files as it starts: afterwards nobody knows the caller's. */
function readLimit(machine: Assembler): void {
  machine.syscall("prlimit64", 0, RLIMIT_NOFILE, 0, at("rlimit"));
  machine.set("a", at("rlimit"));
  machine.load("a", "a", 0, 8);
  // In hexadecimal, from the last digit to the first.
  machine.set("b", at("limit"));
  machine.add("b", LIMIT_VARIABLE.length);
  machine.copy("c", "b");
  machine.add("c", HEX_DIGITS);
  machine.set("d", HEX_DIGITS - 1);
  machine.label("next digit");
  machine.copy("e", "a");
  machine.and("e", "d");
  machine.set("f", at("digits"));
  machine.add("f", "e");
  machine.load("f", "f", 0, 1);
  machine.add("c", -1);
  machine.store("f", "c", 0, 1);
  machine.shiftRight("a", 4);
  machine.jumpIfEqual("b", "c", "all digits");
  machine.jump("next digit");
  machine.label("all digits");
}

/** Afterwards: `d` is the engine's path, in the variable that tells the engine. @param own how much of this file's name is not in it */
function findEngine(machine: Assembler, own: number): void {
  machine.set("d", at("path"));
  machine.add("d", PATH_VARIABLE.length);
  machine.syscall("readlinkat", AT_FDCWD, at("self"), "d", PATH_MAX - ENGINE_SUFFIX.length - 1);
  machine.jumpIf("negative", "result", "no self");
  machine.copy("f", "result");
  machine.add("f", -own);
  machine.copy("b", "d");
  machine.add("b", "f");
  machine.add("f", ENGINE_SUFFIX.length);
  machine.set("result", at("pathLength"));
  machine.store("f", "result", 0, 8);
  // Its bytes and the NUL after them fill a register.
  machine.set("result", at("suffix"));
  machine.load("result", "result", 0, 8);
  machine.store("result", "b", 0, 8);
}

/** Afterwards: `c` is open on the engine, `e` is the variable that says how. */
function openEngine(machine: Assembler): void {
  machine.syscall("open_tree", AT_FDCWD, "d", OPEN_TREE_CLONE | O_CLOEXEC);
  machine.copy("c", "result");
  machine.jumpIf("negative", "c", "not sealed");
  machine.syscall("mount_setattr", "c", at("empty"), AT_EMPTY_PATH, at("readonly"), 32);
  machine.set("e", at("sealed"));
  machine.jumpIf("zero", "result", "opened");
  machine.label("not sealed");
  machine.syscall("openat", AT_FDCWD, "d", O_CLOEXEC);
  machine.copy("c", "result");
  machine.jumpIf("negative", "c", "no engine");
  machine.set("e", at("unsealed"));
  machine.label("opened");
}

/**
 * Reads what is not cached of the engine, in huge pages. Left alone, the kernel would read it in small pages, as they are used, which
 * takes twice as long; and from then on, as long as they are cached, every start would take 1 to 4 ms more. The kernel may have let go of
 * a part alone, so that is asked of each. Nothing here must succeed. Who may not know what is cached, an ordinary user who does not own
 * the file, is told that all is.
 */
function readUncached(machine: Assembler): void {
  const [SEEK_END, PROT_READ, MAP_PRIVATE, MADV_HUGEPAGE, MADV_POPULATE_READ] = [2, 1, 2, 14, 22];
  machine.syscall("openat", AT_FDCWD, "d", O_CLOEXEC);
  machine.copy("f", "result");
  machine.jumpIf("negative", "f", "all cached");
  machine.syscall("lseek", "f", 0, SEEK_END);
  machine.copy("a", "result");
  machine.jumpIf("negative", "a", "all cached");
  machine.syscall("mmap", 0, "a", PROT_READ, MAP_PRIVATE, "f", 0);
  machine.copy("b", "result");
  machine.jumpIf("negative", "b", "all cached");
  machine.label("next part");
  machine.syscall("mincore", "b", 1, at("cached"));
  machine.set("result", at("cached"));
  machine.load("result", "result", 0, 1);
  machine.jumpIf("not zero", "result", "this part is");
  // Of what is left of the file, if that is less than a part: more than the mapping holds would be refused.
  machine.copy("f", "a");
  machine.copy("result", "a");
  machine.add("result", -HUGE_PAGE);
  machine.jumpIf("negative", "result", "the last part");
  machine.set("f", HUGE_PAGE);
  machine.label("the last part");
  machine.syscall("madvise", "b", "f", MADV_HUGEPAGE);
  machine.syscall("madvise", "b", "f", MADV_POPULATE_READ);
  machine.label("this part is");
  machine.add("b", HUGE_PAGE);
  machine.add("a", -HUGE_PAGE);
  machine.jumpIf("negative", "a", "all cached");
  machine.jump("next part");
  machine.label("all cached");
}

function failures(machine: Assembler): void {
  machine.label("no engine");
  say(machine, "noEngine");
  machine.set("d", at("path"));
  machine.add("d", PATH_VARIABLE.length);
  machine.set("f", at("pathLength"));
  machine.load("f", "f", 0, 8);
  machine.syscall("write", STDERR, "d", "f");
  say(machine, "newline");
  machine.syscall("exit_group", 1);
  machine.label("set-id");
  say(machine, "setId");
  machine.syscall("exit_group", 1);
  for (const what of ["whole", "data"] as const) {
    machine.label(`too low: ${what}`);
    say(machine, what);
    machine.syscall("exit_group", 1);
  }
  machine.label("no self");
  say(machine, "noSelf");
  machine.syscall("exit_group", 1);
}

function say(machine: Assembler, message: keyof typeof MESSAGES): void {
  machine.syscall("write", STDERR, at(message), MESSAGES[message].length);
}

/** A string and as many zero bytes after it. */
function concat(text: string, room: number): Uint8Array {
  return Buffer.concat([Buffer.from(text), new Uint8Array(room)]);
}
