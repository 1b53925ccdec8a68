/**
 * Makes of a program one that is started already: a snapshot of its memory, as an executable.
 *
 * To start, the engine takes 3 ms, and to load tsrunc one more, always to the same end. So `make build` starts it once, has it load all
 * that there is, and when it says that it stands still (`standstill.ts`) writes its memory to a file, which each command then begins
 * with. The kernel maps that as any program: pages that are not written to are shared by all, and only those that are used are read.
 *
 * The file is the program's own, with what has become of its memory after it, and other program headers. What the kernel keeps of a
 * process is not in it: there are no open files but those that the caller gives, and there is one thread.
 *
 * Only for x86_64. It needs neither the libraries of the machine that it runs on, which are in it, nor its kernel, but its processor must
 * have what its libraries chose functions by: see `processor.ts`.
 *
 * @see elf(5)
 */
import { readFileSync, realpathSync } from "node:fs";
import { ignoredSignals } from "../sys/signal.ts";
import { PT_GNU_STACK, PT_INTERP, PT_LOAD, programHeader, programHeaders, SEGMENT, type Segment } from "./elf.ts";
import { programIn } from "./loader.ts";
import { processorFeatures } from "./processor.ts";
import { type Call, type Resumption, resumer } from "./resume.ts";
import { CANARY_AT, GUARD_AT, SecretFinder } from "./secrets.ts";
import { SYSCALL_NUMBERS } from "./syscall-numbers.ts";
import { type Mapping, type Program, type Registers, STACK, Tracee } from "./tracee.ts";

const PAGE = 0x1000;
/** Where what comes first is mapped: below the program, which is linked for 0x200000. */
const BASE = 0x100000;
/** As many pages that were never written to may be between two that were, in one segment: a segment costs more than they do. */
const GAP = 64;
/** As many bytes that are as in the program's file are not in the snapshot a second time. */
const LARGE = 0x100000;
/** Program headers that fit in a page: Linux 6.1 executes no file with more (`load_elf_phdrs`), and says ENOEXEC. */
const MAX_HEADERS = Math.floor(PAGE / 56);
/** From here on, at most 16 TiB below its end, the kernel puts what a new process has of its own. */
const TOP = 0x7000_0000_0000;
/** Mappings that each process has of its own. */
const KERNELS: ReadonlySet<string> = new Set(["[stack]", "[vdso]", "[vvar]", "[vvar_vclock]", "[vsyscall]"]);
/** From here on signals are libc's own, or real-time ones. */
const LIBC_SIGNALS = 32;
const ARCH_SET_FS = 0x1002;

/**
 * Starts a program and takes a snapshot of it.
 * @param program one that stops itself by SIGSTOP, the third argument of the system call being where libc has the end of its heap; what
 *                that call returns is then the address of the stack that the kernel made
 * @throws {Error} when it does not get there, or may not be traced
 */
export function takeSnapshot(program: Program): Uint8Array {
  // As the kernel names it among a process's mappings.
  const path = realpathSync(program.path);
  using tracee = Tracee.start({ ...program, path });
  for (let gap = GAP; ; gap *= 2) {
    const file = new SnapshotFile(readFileSync(path), path, tracee, gap);
    for (const mapping of tracee.mappings) if (!KERNELS.has(mapping.path)) file.add(mapping);
    if (file.headerCount <= MAX_HEADERS) return file.finish();
    if (gap > 1 << 20)
      throw new Error(
        `the memory of ${path} is in ${file.headerCount} parts, of which the kernel takes ${MAX_HEADERS}`,
      );
  }
}

/** Whether a program is a snapshot: then it needs no dynamic linker. */
export function isSnapshot(file: Uint8Array): boolean {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  return !programHeaders(view).some((at) => view.getUint32(at + SEGMENT.type, true) === PT_INTERP);
}

/** A file in the making. */
class SnapshotFile {
  readonly #parts: Uint8Array[] = [];
  #length = 0;
  readonly #segments: Segment[] = [];
  readonly #calls: Call[] = [];
  readonly #protections: Call[] = [];
  readonly #secrets: SecretFinder;

  constructor(
    private readonly original: Uint8Array,
    private readonly path: string,
    private readonly program: Tracee,
    private readonly gap: number,
  ) {
    this.#append(original);
    const code = program.mappings.filter(({ permissions }) => permissions.includes("x"));
    this.#secrets = new SecretFinder(program.random, code, { start: STACK.start, end: STACK.start + STACK.size });
  }

  /** @throws {Error} for memory that is shared with others, or in the kernel's way */
  add(mapping: Mapping): void {
    const { start, end, permissions, path } = mapping;
    if (!permissions.endsWith("p")) throw new Error(`${path} is mapped as shared memory`);
    if (end > TOP)
      throw new Error(`${path || "memory"} is mapped at ${start.toString(16)}, where new processes have their stack`);
    // What cannot be read was reserved only.
    if (!permissions.startsWith("r")) return this.#reserve(start, end, permissions);
    if (this.#isOriginal(mapping)) return this.#addSegment(permissions, mapping.offset, start, end);
    const same = this.#unchangedPart(mapping);
    if (same !== null) {
      this.add({ ...mapping, end: same.start });
      this.#addSegment(permissions, same.offset, same.start, same.end);
      return this.add({ ...mapping, start: same.end, offset: same.offset + same.end - same.start });
    }
    let position = start;
    for (const [from, to] of this.#writtenParts(mapping)) {
      this.#reserve(position, from, permissions);
      const contents = this.program.read(from, to - from);
      this.#addSegment(permissions, this.#append(contents), from, to);
      this.#findSecrets(contents, from, permissions);
      position = to;
    }
    return this.#reserve(position, end, permissions);
  }

  /** How many program headers there will be: besides what was added, the two parts of the code that resumes, and the stack. */
  get headerCount(): number {
    return this.#segments.length + 3;
  }

  /** @throws {Error} where libc does not keep its secrets in the way that is known */
  finish(): Uint8Array {
    const { registers } = this.program;
    this.#assertSecrets(registers);
    const begin = resumer(BASE, {
      calls: [...this.#calls, [SYSCALL_NUMBERS.x86_64.arch_prctl, ARCH_SET_FS, Number(registers["fs_base"])]],
      secrets: this.#secrets.found,
      protections: this.#protections,
      ignored: ignoredSignals(this.program.proc("status").toString()).filter((signal) => signal < LIBC_SIGNALS),
      heapEnd: registers["rdx"] as bigint,
      registers,
      features: processorFeatures(),
      plain: this.#plain(),
    });
    const at = this.#append(begin);
    this.#addSegment("r-xp", at, BASE, BASE + PAGE);
    this.#addSegment("rw-p", at + PAGE, BASE + PAGE, BASE + begin.length);
    this.#segments.sort((one, other) => one.address - other.address);
    const stack = { type: PT_GNU_STACK, flags: 6, offset: 0, address: 0, size: 0, alignment: 16 };
    const headers = [...this.#segments, stack].map(programHeader);
    const headersAt = this.#append(Buffer.concat(headers));
    const result = Buffer.concat(this.#parts);
    // Fields of the file header: the entry, which is where it is in `begin`; program headers; no section headers.
    const linkedAt = BigInt(Buffer.from(begin.buffer).readBigUInt64LE(24));
    result.writeBigUInt64LE((linkedAt % BigInt(PAGE)) + BigInt(BASE), 24);
    result.writeBigUInt64LE(BigInt(headersAt), 32);
    result.writeBigUInt64LE(0n, 40);
    result.writeUInt16LE(headers.length, 56);
    result.writeUInt16LE(0, 60);
    result.writeUInt16LE(0, 62);
    return result;
  }

  /** What the same file starts anew. */
  #plain(): Resumption["plain"] {
    const program = programIn(this.original);
    return program && { program, end: Math.max(...this.#segments.map(({ address, size }) => address + size)) };
  }

  /** Also has what is read-only be written to before they are renewed. */
  #findSecrets(contents: Uint8Array, start: number, permissions: string): void {
    const { found } = this.#secrets;
    const count = () => Object.values(found).flat().length;
    const before = count();
    this.#secrets.search(contents, start);
    if (permissions.includes("w") || count() === before) return;
    const { mprotect } = SYSCALL_NUMBERS.x86_64;
    const protection = protectionOf(permissions);
    this.#calls.push([mprotect, start, contents.length, protection | PROT_WRITE]);
    this.#protections.push([mprotect, start, contents.length, protection]);
  }

  /** A program without libc has none. */
  #assertSecrets(registers: Registers): void {
    const thread = Number(registers["fs_base"]);
    if (thread === 0) return;
    const { canary, guard } = this.#secrets.found;
    if (!canary.includes(thread + CANARY_AT) || !guard.includes(thread + GUARD_AT)) {
      throw new Error("libc keeps canary and pointer guard somewhere else than x86_64's ABI says");
    }
    for (const [name, value] of Object.entries(registers)) {
      if (this.#secrets.isSecret(value)) throw new Error(`register ${name} has a secret that cannot be renewed`);
    }
  }

  /** Whether it is a part of the program's file that is as it was: not so what the linker has changed in it. */
  #isOriginal({ start, end, permissions, offset, path }: Mapping): boolean {
    if (path !== this.path || permissions.includes("w")) return false;
    return this.program.read(start, end - start).equals(this.original.subarray(offset, offset + end - start));
  }

  /** The largest part of the program's own memory that could be written to and is as in its file, if it is worth a segment. */
  #unchangedPart({ start, end, offset, path }: Mapping): Pick<Mapping, "start" | "end" | "offset"> | null {
    if (path !== this.path) return null;
    const contents = this.program.read(start, end - start);
    let largest = { start, end: start + LARGE, offset };
    let from = start;
    for (let address = start; address < end; address += PAGE) {
      const at = address - start;
      const inFile = this.original.subarray(offset + at, offset + at + PAGE);
      if (!contents.subarray(at, at + PAGE).equals(inFile)) from = address + PAGE;
      else if (address + PAGE - from > largest.end - largest.start) {
        largest = { start: from, end: address + PAGE, offset: offset + from - start };
      }
    }
    return largest.end - largest.start > LARGE ? largest : null;
  }

  /** What has contents, from one address to another, in bytes. */
  #writtenParts({ start, end, path }: Mapping): [from: number, to: number][] {
    // Of files all pages have: they are not read before they are used.
    if (path.startsWith("/")) return [[start, end]];
    const parts: [number, number][] = [];
    for (const address of this.#presentPages(start, end)) {
      if (this.program.read(address, PAGE).equals(EMPTY)) continue;
      const last = parts.at(-1);
      if (last !== undefined && address - last[1] <= this.gap * PAGE) last[1] = address + PAGE;
      else parts.push([address, address + PAGE]);
    }
    return parts;
  }

  /** @see linux/Documentation/admin-guide/mm/pagemap.rst */
  *#presentPages(start: number, end: number): Generator<number> {
    const PRESENT_OR_SWAPPED = 3n;
    const ENTRY = 8;
    const CHUNK = 0x10000;
    for (let address = start; address < end; address += CHUNK * PAGE) {
      const count = Math.min(CHUNK, (end - address) / PAGE);
      const entries = this.program.procPart("pagemap", (address / PAGE) * ENTRY, count * ENTRY);
      for (let index = 0; index < count; index++) {
        const bits = entries.readBigUInt64LE(index * ENTRY) >> 62n;
        if ((bits & PRESENT_OR_SWAPPED) !== 0n) yield address + index * PAGE;
      }
    }
  }

  #addSegment(permissions: string, offset: number, start: number, end: number): void {
    const flags = bits(permissions, { r: 4, w: 2, x: 1 });
    this.#segments.push({ type: PT_LOAD, flags, offset, address: start, size: end - start, alignment: PAGE });
  }

  /** Has memory mapped that nothing was written to. */
  #reserve(start: number, end: number, permissions: string): void {
    const PRIVATE_ANONYMOUS = 0x22;
    const NORESERVE = 0x4000;
    const FIXED_NOREPLACE = 0x100000;
    if (start === end) return;
    const protection = protectionOf(permissions);
    const flags = PRIVATE_ANONYMOUS | NORESERVE | FIXED_NOREPLACE;
    this.#calls.push([SYSCALL_NUMBERS.x86_64.mmap, start, end - start, protection, flags, -1, 0]);
  }

  /** Adds bytes at the beginning of a page. @returns where they are */
  #append(bytes: Uint8Array): number {
    const padding = -this.#length & (PAGE - 1);
    this.#parts.push(new Uint8Array(padding), bytes);
    const at = this.#length + padding;
    this.#length = at + bytes.length;
    return at;
  }
}

const EMPTY = Buffer.alloc(PAGE);

function bits(permissions: string, values: { r: number; w: number; x: number }): number {
  const given = Object.entries(values).filter(([letter]) => permissions.includes(letter));
  return given.reduce((sum, [, value]) => sum | value, 0);
}

const PROT_WRITE = 2;

/** `PROT_*` of mmap(2). */
function protectionOf(permissions: string): number {
  return bits(permissions, { r: 1, w: PROT_WRITE, x: 4 });
}
