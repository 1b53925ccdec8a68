/**
 * The secrets that libc draws for a process from what the kernel gives it (AT_RANDOM), and where a snapshot has them: so that the code that
 * goes on from it (`resume.ts`) can renew them. Otherwise they were the same in each process on each machine, and to be read in the file.
 *
 * - The **canary**, which functions put between their variables and their return address, and look at before they return. Its lowest byte
 *   is 0, so that no text goes beyond it.
 * - The **pointer guard**. What of pointers is kept where a program could be made to write, for functions to call at exit, or what
 *   longjmp(3) goes back to, is mangled: XORed with the guard, and rotated by 17 bits.
 *
 * All are found by their value: the canary and the guard are random words of 56 and 64 bits, and what a mangled pointer leads to is code or
 * stack, of which there is so little that another word is taken for one in one of ten thousand builds.
 *
 * @see getauxval(3), AT_RANDOM; glibc, sysdeps/unix/sysv/linux/dl-osinfo.h and sysdeps/x86_64/pointer_guard.h
 */

/** How a word follows from AT_RANDOM: what it is XORed with is the difference to the new canary, to the new guard, or the latter rotated. */
export type Secret = "canary" | "guard" | "mangled";

const WORD = 8;
/** Bits by which mangled pointers are rotated to the left. */
export const ROTATION = 17;
const ALL_BITS = 0xffff_ffff_ffff_ffffn;
/** Where a thread has its own, from the address in FS. */
export const [CANARY_AT, GUARD_AT] = [0x28, 0x30];
/** Words of `jmp_buf`: of mangled ones, the frame pointer, which may be any number, is that far before the stack pointer. */
const FRAME_BEFORE_STACK = 5;

/** Memory from `start` to before `end`, in bytes. */
export interface Range {
  start: number;
  end: number;
}

/** Finds secrets in memory. */
export class SecretFinder {
  readonly canary: bigint;
  readonly guard: bigint;
  /** What there is in all: the addresses of words. */
  readonly found: Record<Secret, number[]> = { canary: [], guard: [], mangled: [] };
  readonly #code: readonly Range[];
  readonly #stack: Range;

  /**
   * @param random the 16 bytes that the kernel gave the process
   * @param code   where mangled pointers may lead
   * @param stack  where they may lead, too
   */
  constructor(random: Uint8Array, code: readonly Range[], stack: Range) {
    const [first, second] = new BigUint64Array(random.slice().buffer) as unknown as [bigint, bigint];
    this.canary = first & ~0xffn;
    this.guard = second;
    this.#code = code;
    this.#stack = stack;
  }

  /** Whether a register has one, which could not be renewed. */
  isSecret(word: bigint): boolean {
    return word === this.canary || word === this.guard;
  }

  /** Looks into memory from an address on, both of whole words. */
  search(bytes: Uint8Array, address: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // The bits of a mangled address that are 0 in it, which stand at 1 to 16: few other words are looked at twice.
    const guardTop = Number(this.guard >> 48n);
    const [canaryHigh, guardHigh] = [this.canary, this.guard].map((word) => Number(word >> 32n));
    for (let at = 0; at + WORD <= bytes.length; at += WORD) {
      const high = view.getUint32(at + 4, true);
      const mayBeMangled = ((view.getUint32(at, true) >>> 1) & 0xffff) === guardTop;
      if (high !== canaryHigh && high !== guardHigh && !mayBeMangled) continue;
      const secret = this.#secretIn(view.getBigUint64(at, true));
      if (secret !== null) this.found[secret].push(address + at);
      // Of a jmp_buf: the stack pointer, and where to go on.
      const isJump = secret === "mangled" && this.#isCode(this.#demangled(view.getBigUint64(at, true)));
      const stackAt = at - WORD;
      if (isJump && this.found.mangled.includes(address + stackAt)) {
        this.#note(address + stackAt - FRAME_BEFORE_STACK * WORD);
      }
    }
  }

  #note(address: number): void {
    if (!this.found.mangled.includes(address)) this.found.mangled.push(address);
  }

  #secretIn(word: bigint): Secret | null {
    // Of AT_RANDOM itself, too, whose lowest byte is not 0.
    if ((word & ~0xffn) === this.canary) return "canary";
    if (word === this.guard) return "guard";
    const pointer = this.#demangled(word);
    return this.#isCode(pointer) || isWithin(this.#stack, pointer) ? "mangled" : null;
  }

  #demangled(word: bigint): number {
    const turned = (word >> BigInt(ROTATION)) | ((word << BigInt(64 - ROTATION)) & ALL_BITS);
    return Number(turned ^ this.guard);
  }

  #isCode(address: number): boolean {
    return this.#code.some((range) => isWithin(range, address));
  }
}

function isWithin({ start, end }: Range, address: number): boolean {
  return address >= start && address < end;
}
