/**
 * The engine that starts anew, out of the file of its snapshot.
 *
 * All of the engine's own file is in that, so one file on the disk does for both. What the kernel executes of it is the snapshot; for the
 * other this does what the kernel does for a program that is linked dynamically: it maps the program's segments, and its dynamic linker, tells
 * that where both are, and jumps to it. A snapshot that goes on never comes here.
 *
 * @see elf(5), getauxval(3); linux/fs/binfmt_elf.c, load_elf_binary
 */
import { type Data, layOutWords, PT_INTERP, PT_LOAD, programHeaders, SEGMENT, type SegmentName, word } from "./elf.ts";
import { SYSCALL_NUMBERS } from "./syscall-numbers.ts";
import { RESUMED, type X86Assembler } from "./x86-64.ts";

/** A program as it is in its file, to be loaded. Addresses and sizes in bytes. */
export interface LoadedProgram {
  /** Path of its dynamic linker. */
  linker: string;
  entry: number;
  /** Its program headers in memory. */
  headers: { address: number; count: number };
  segments: readonly LoadedSegment[];
}

interface LoadedSegment {
  address: number;
  size: number;
  /** In the file. */
  offset: number;
  /** `PROT_*` of mmap(2). */
  protection: number;
}

const PAGE = 0x1000;
const [PROT_READ, PROT_WRITE, PROT_EXEC] = [1, 2, 4];
const [MAP_PRIVATE_FIXED, MAP_PRIVATE_ANONYMOUS] = [0x12, 0x22];
const [AT_FDCWD, O_CLOEXEC] = [-100, 0o2000000];
const WORD = 8;
/** How much of the linker's file is read for its headers. */
const HEADERS = 0x1000;

/** Fields of the file header by their distance from its beginning, in bytes. */
const FILE = { entry: 24, programHeaders: 32, programHeaderCount: 56 };

/** Places in a list of a system call's number and its arguments. */
const CALL = { number: 0, address: 1, length: 2, protection: 3, flags: 4, fd: 5, offset: 6 };
const READ = { fd: 1, address: 2, length: 3, offset: 4 };

/** Entries of the auxiliary vector that are another program's here, in their order. */
const AUXILIARY = { headers: 3, headerCount: 5, base: 7, entry: 9 } as const;

/**
 * Reads what there is to load of a program.
 * @param file of 64 bits, little-endian
 * @returns `null` for one that needs no dynamic linker
 * @throws {Error} for one that has memory of zeros that is not in its file
 */
export function programIn(file: Uint8Array): LoadedProgram | null {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const field = (at: number, name: SegmentName) => word(view, at + SEGMENT[name]);
  const type = (at: number) => view.getUint32(at + SEGMENT.type, true);
  const all = programHeaders(view);
  const linker = all.find((at) => type(at) === PT_INTERP);
  const loaded = all.filter((at) => type(at) === PT_LOAD);
  const first = loaded.find((at) => field(at, "offset") === 0);
  if (linker === undefined || first === undefined) return null;
  const start = field(linker, "offset");
  return {
    linker: Buffer.from(file.subarray(start, start + field(linker, "fileSize") - 1)).toString(),
    entry: word(view, FILE.entry),
    headers: { address: field(first, "address") + word(view, FILE.programHeaders), count: all.length },
    segments: loaded.map((at) => {
      const [address, offset, size] = [field(at, "address"), field(at, "offset"), field(at, "fileSize")];
      if (field(at, "memorySize") !== size) throw new Error("the engine has memory that is not in its file");
      const flags = view.getUint32(at + SEGMENT.flags, true);
      const protection = (flags & 4 ? PROT_READ : 0) | (flags & 2 ? PROT_WRITE : 0) | (flags & 1 ? PROT_EXEC : 0);
      const before = address % PAGE;
      return { address: address - before, size: size + before, offset: offset - before, protection };
    }),
  };
}

/**
 * What {@link load} reads and writes.
 * @param end behind all that the snapshot has mapped, in bytes
 */
export function loaderData({ linker, entry, headers, segments }: LoadedProgram, end: number): Data {
  const { mmap, munmap, pread64 } = SYSCALL_NUMBERS.x86_64;
  const last = Math.max(...segments.map(({ address, size }) => address + size));
  const from = Math.ceil(last / PAGE) * PAGE;
  return {
    self: "/proc/self/exe",
    linker,
    // The descriptor is put into each, also where it is none of the arguments.
    segments: layOutWords([
      ...[munmap, from, end - from, 0, 0, 0, 0],
      ...segments.flatMap(({ address, size, protection, offset }) => {
        return [mmap, address, size, protection, MAP_PRIVATE_FIXED, 0, offset];
      }),
      -1,
    ]),
    linkerHeaders: HEADERS,
    mapPart: layOutWords([mmap, 0, 0, 0, MAP_PRIVATE_FIXED, 0, 0]),
    readPart: layOutWords([pread64, 0, 0, 0, 0, 0, 0]),
    auxiliary: layOutWords([headers.address, headers.count, 0, entry]),
    begin: RESUMED.length * WORD,
  };
}

const at = (address: string) => ({ address });

/** Where a register is among those that the program begins with, in bytes. */
const beginning = (name: string) => RESUMED.indexOf(name) * WORD;

/**
 * Loads the program and goes on as that. `f` points to the stack as the kernel has made it.
 * @param failed label to go to
 */
export function load(machine: X86Assembler, failed: string): void {
  machine.set("a", at("begin"));
  machine.store("f", "a", beginning("rsp"), 8);
  mapProgram(machine, failed);
  openLinker(machine, failed);
  reserve(machine, failed);
  mapLinker(machine, failed);
  machine.syscall("close_range", "c", "c", 0);
  machine.set("a", at("linkerHeaders"));
  machine.load("d", "a", FILE.entry, 8);
  machine.add("d", "b");
  machine.set("a", at("begin"));
  machine.store("d", "a", beginning("rip"), 8);
  machine.load("f", "a", beginning("rsp"), 8);
  tellWhereThingsAre(machine);
  machine.resume("begin");
}

/** From this process's own file, in the place of the snapshot's memory. */
function mapProgram(machine: X86Assembler, failed: string): void {
  machine.syscall("openat", AT_FDCWD, at("self"), O_CLOEXEC);
  machine.copy("c", "result");
  machine.jumpIf("negative", "c", failed);
  machine.set("a", at("segments"));
  machine.label("next own segment");
  machine.load("b", "a", 0, 8);
  machine.jumpIf("negative", "b", "own segments mapped");
  machine.store("c", "a", CALL.fd * WORD, 8);
  machine.syscallWith("a");
  machine.jumpIf("negative", "result", failed);
  machine.add("a", 7 * WORD);
  machine.jump("next own segment");
  machine.label("own segments mapped");
  machine.syscall("close_range", "c", "c", 0);
}

/** Afterwards: `c` is open on the linker, and its headers are read. */
function openLinker(machine: X86Assembler, failed: string): void {
  machine.syscall("openat", AT_FDCWD, at("linker"), O_CLOEXEC);
  machine.copy("c", "result");
  machine.jumpIf("negative", "c", failed);
  machine.syscall("pread64", "c", at("linkerHeaders"), HEADERS, 0);
  machine.jumpIf("negative", "result", failed);
}

/** Does something for each of the linker's segments, whose header `a` points to. It may use `d`, `f` and `result`, and no `e`. */
function forEachSegment(machine: X86Assembler, name: string, act: () => void): void {
  machine.set("a", at("linkerHeaders"));
  machine.load("e", "a", FILE.programHeaderCount, 1);
  machine.load("d", "a", FILE.programHeaders, 8);
  machine.add("a", "d");
  machine.label(`next to ${name}`);
  machine.load("d", "a", SEGMENT.type, 4);
  machine.add("d", -PT_LOAD);
  machine.jumpIf("not zero", "d", `not to ${name}`);
  act();
  machine.label(`not to ${name}`);
  machine.add("a", SEGMENT.size);
  machine.add("e", -1);
  machine.jumpIf("not zero", "e", `next to ${name}`);
}

/** Afterwards: `b` is where the linker will be. What no segment fills stays as it is reserved: zeros. */
function reserve(machine: X86Assembler, failed: string): void {
  forEachSegment(machine, "measure", () => {
    // They are in the order of their addresses: the last one's end stays.
    machine.load("f", "a", SEGMENT.address, 8);
    machine.load("d", "a", SEGMENT.memorySize, 8);
    machine.add("f", "d");
  });
  machine.syscall("mmap", 0, "f", PROT_READ | PROT_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
  machine.copy("b", "result");
  machine.jumpIf("negative", "b", failed);
}

/** What is written to is read into the memory that is there, so that zeros follow it, which no file has. */
function mapLinker(machine: X86Assembler, failed: string): void {
  forEachSegment(machine, "map", () => {
    machine.load("d", "a", SEGMENT.flags, 4);
    machine.set("result", PROT_WRITE);
    machine.and("result", "d");
    machine.jumpIf("not zero", "result", "to be read");
    machine.set("f", at("mapPart"));
    // As PROT_*: PF_X is 1, and PROT_EXEC is 4. All can be read.
    machine.set("result", 1);
    machine.and("d", "result");
    machine.add("d", "d");
    machine.add("d", "d");
    machine.add("d", PROT_READ);
    machine.store("d", "f", CALL.protection * WORD, 8);
    machine.store("c", "f", CALL.fd * WORD, 8);
    // From the beginning of its first page.
    machine.set("result", -PAGE);
    machine.load("d", "a", SEGMENT.offset, 8);
    machine.and("d", "result");
    machine.store("d", "f", CALL.offset * WORD, 8);
    machine.load("d", "a", SEGMENT.address, 8);
    machine.and("d", "result");
    machine.add("d", "b");
    machine.store("d", "f", CALL.address * WORD, 8);
    machine.set("result", PAGE - 1);
    machine.load("d", "a", SEGMENT.address, 8);
    machine.and("d", "result");
    machine.load("result", "a", SEGMENT.fileSize, 8);
    machine.add("d", "result");
    machine.store("d", "f", CALL.length * WORD, 8);
    machine.syscallWith("f");
    machine.jumpIf("negative", "result", failed);
    machine.jump("not to map");
    machine.label("to be read");
    machine.set("f", at("readPart"));
    machine.store("c", "f", READ.fd * WORD, 8);
    machine.load("d", "a", SEGMENT.address, 8);
    machine.add("d", "b");
    machine.store("d", "f", READ.address * WORD, 8);
    machine.load("d", "a", SEGMENT.fileSize, 8);
    machine.store("d", "f", READ.length * WORD, 8);
    machine.load("d", "a", SEGMENT.offset, 8);
    machine.store("d", "f", READ.offset * WORD, 8);
    machine.syscallWith("f");
    machine.jumpIf("negative", "result", failed);
  });
}

/** In the auxiliary vector, pairs of words behind the environment, where the kernel has told of the snapshot. `b` is the linker's base. */
function tellWhereThingsAre(machine: X86Assembler): void {
  const keys = Object.entries(AUXILIARY);
  machine.set("e", at("auxiliary"));
  machine.store("b", "e", Object.keys(AUXILIARY).indexOf("base") * WORD, 8);
  // Behind argc, the arguments, NULL.
  machine.load("d", "f", 0, 8);
  for (let times = 1; times < WORD; times *= 2) machine.add("d", "d");
  machine.copy("a", "f");
  machine.add("a", "d");
  machine.add("a", 2 * WORD);
  machine.label("behind the environment");
  machine.load("d", "a", 0, 8);
  machine.add("a", WORD);
  machine.jumpIf("not zero", "d", "behind the environment");
  machine.label("next auxiliary");
  machine.load("d", "a", 0, 8);
  machine.jumpIf("zero", "d", "all told");
  let subtracted = 0;
  for (const [name, key] of keys) {
    machine.add("d", subtracted - key);
    machine.jumpIf("zero", "d", `tell ${name}`);
    subtracted = key;
  }
  machine.label("told");
  machine.add("a", 2 * WORD);
  machine.jump("next auxiliary");
  keys.forEach(([name], index) => {
    machine.label(`tell ${name}`);
    machine.load("d", "e", index * WORD, 8);
    machine.store("d", "a", WORD, 8);
    machine.jump("told");
  });
  machine.label("all told");
}
