/**
 * What a processor must have to go on with a snapshot: libc, its libraries and the engine have chosen functions by what they found on the
 * builder's, once and for all. What few processors have they are kept from choosing, so that what one machine builds starts as fast on
 * others.
 *
 * @see Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CPUID; AMD64 Architecture Programmer's Manual, volume 3
 */
import { readFileSync } from "node:fs";
import type { CpuidRegister, X86Assembler } from "./x86-64.ts";

/** What CPUID is asked for, and what for besides. */
type Leaf = readonly [leaf: number, part: number];

const BASIC: Leaf = [1, 0];
const EXTENDED: Leaf = [7, 0];
const MORE: Leaf = [7, 1];
const AMD: Leaf = [0x8000_0001, 0];
const LEAVES = [BASIC, EXTENDED, MORE, AMD];

type Features = Readonly<Record<string, readonly [leaf: Leaf, register: CpuidRegister, bit: number]>>;

/**
 * What is chosen by, where the builder's processor has it; names as in `/proc/cpuinfo`. All that have AVX2 have the rest of these, but for
 * virtual machines that hide some.
 */
const FEATURES: Features = {
  pclmulqdq: [BASIC, "ecx", 1],
  ssse3: [BASIC, "ecx", 9],
  fma: [BASIC, "ecx", 12],
  cx16: [BASIC, "ecx", 13],
  sse4_1: [BASIC, "ecx", 19],
  sse4_2: [BASIC, "ecx", 20],
  movbe: [BASIC, "ecx", 22],
  popcnt: [BASIC, "ecx", 23],
  aes: [BASIC, "ecx", 25],
  xsave: [BASIC, "ecx", 26],
  avx: [BASIC, "ecx", 28],
  f16c: [BASIC, "ecx", 29],
  rdrand: [BASIC, "ecx", 30],
  bmi1: [EXTENDED, "ebx", 3],
  avx2: [EXTENDED, "ebx", 5],
  bmi2: [EXTENDED, "ebx", 8],
  abm: [AMD, "ecx", 5], // LZCNT
};

/** What is chosen by besides where there is AVX-512: the engine's searches in texts (Highway) cannot be kept from it. */
const WITH_AVX512: Features = {
  avx512f: [EXTENDED, "ebx", 16],
  avx512dq: [EXTENDED, "ebx", 17],
  avx512ifma: [EXTENDED, "ebx", 21],
  avx512cd: [EXTENDED, "ebx", 28],
  avx512bw: [EXTENDED, "ebx", 30],
  avx512vl: [EXTENDED, "ebx", 31],
  avx512vbmi: [EXTENDED, "ecx", 1],
  avx512_vbmi2: [EXTENDED, "ecx", 6],
  gfni: [EXTENDED, "ecx", 8],
  vaes: [EXTENDED, "ecx", 9],
  vpclmulqdq: [EXTENDED, "ecx", 10],
  avx512_vnni: [EXTENDED, "ecx", 11],
  avx512_bitalg: [EXTENDED, "ecx", 12],
  avx512_vpopcntdq: [EXTENDED, "ecx", 14],
  avx512_fp16: [EXTENDED, "edx", 23],
  avx512_bf16: [MORE, "eax", 5],
};

/** What newer processors have, and the engine's cryptography (BoringSSL) would choose by: ADX, SHA; GFNI, VAES, VPCLMULQDQ. */
const HIDDEN_FROM_BORINGSSL = { ebx: (1n << 19n) | (1n << 29n), ecx: (1n << 8n) | (1n << 9n) | (1n << 10n) };

/** What glibc would choose by besides, as its tunable has it: copying by strings of bytes, transactions, compact saving of registers. */
export const HIDDEN_FROM_GLIBC = "glibc.cpu.hwcaps=-ERMS,-FSRM,-RTM,-XSAVEC";

/** The variable of BoringSSL (`crypto/cpu_intel.cc`): what is taken from EBX and ECX of leaf 7, as one number. */
export const HIDING_VARIABLES: Readonly<Record<string, string>> = {
  OPENSSL_ia32cap: `:~0x${((HIDDEN_FROM_BORINGSSL.ecx << 32n) | HIDDEN_FROM_BORINGSSL.ebx).toString(16)}`,
};

/** That the kernel has switched XSAVE on, and with it what comes after: not in `/proc/cpuinfo`. */
const OSXSAVE = 1 << 27;
/** What of the registers the kernel must keep for them, bits of XCR0: SSE and AVX; opmasks, and both parts of the larger vectors. */
const KEPT: Readonly<Record<string, number>> = { avx: 0x6, avx512f: 0xe6 };

const REGISTERS: readonly CpuidRegister[] = ["eax", "ebx", "ecx", "edx"];

/** What this processor has, as in `/proc/cpuinfo`. */
export function processorFeatures(): ReadonlySet<string> {
  const [, flags = ""] = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8")) ?? [];
  return new Set(flags.trim().split(" "));
}

/** What a snapshot made on this processor asks of another, in a word for people. */
export function processorNeeded(features: ReadonlySet<string>): string {
  if (features.has("avx512f")) return "AVX-512";
  return features.has("avx2") ? "AVX2" : "what this one has";
}

const placeOf = ([leaf, part]: Leaf, register: CpuidRegister) => `${register} of leaf ${leaf}.${part}`;

/** Goes on at a label on a processor that lacks something. Overwrites `a` and `b`. */
export function checkProcessor(machine: X86Assembler, otherwise: string): void {
  for (const leaf of LEAVES) {
    machine.cpuid(...leaf, (register) => placeOf(leaf, register));
    for (const register of REGISTERS) checkBits(machine, placeOf(leaf, register), otherwise);
  }
  // Without OSXSAVE, which has been asked for where this matters, there is no such instruction.
  machine.set("a", { address: "wanted kept" });
  machine.load("a", "a", 0, 4);
  machine.jumpIf("zero", "a", "has kept");
  machine.xgetbv("kept");
  checkBits(machine, "kept", otherwise);
}

function checkBits(machine: X86Assembler, place: string, otherwise: string): void {
  machine.set("a", { address: `wanted ${place}` });
  machine.load("a", "a", 0, 4);
  machine.set("b", { address: place });
  machine.load("b", "b", 0, 4);
  machine.and("b", "a");
  machine.jumpIfEqual("a", "b", `has ${place}`);
  machine.jump(otherwise);
  machine.label(`has ${place}`);
}

/** Places for what the processor has, and what it must have: what the builder's has (`features`), of that which is chosen by. */
export function processorData(features: ReadonlySet<string>): Record<string, Uint8Array> {
  const data: Record<string, Uint8Array> = {};
  const chosenBy = features.has("avx512f") ? { ...FEATURES, ...WITH_AVX512 } : FEATURES;
  const wanted = Object.entries(chosenBy).filter(([name]) => features.has(name));
  for (const leaf of LEAVES) {
    for (const register of REGISTERS) {
      const here = wanted.filter(([, [itsLeaf, itsRegister]]) => itsLeaf === leaf && itsRegister === register);
      const bits = here.reduce((sum, [, [, , bit]]) => sum | (1 << bit), 0);
      const others = leaf === BASIC && register === "ecx" && features.has("avx") ? OSXSAVE : 0;
      want(data, placeOf(leaf, register), bits | others);
    }
  }
  const kept = Object.entries(KEPT).reduce((sum, [name, bits]) => sum | (features.has(name) ? bits : 0), 0);
  want(data, "kept", kept);
  return data;
}

/** A place of 32 bits, and what must be in it. */
function want(data: Record<string, Uint8Array>, place: string, bits: number): void {
  data[place] = new Uint8Array(4);
  data[`wanted ${place}`] = new Uint8Array(Int32Array.of(bits).buffer);
}
