/** Profiles at the edge of what libseccomp and the kernel take. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Seccomp } from "../../src/config/types.ts";
import { compileFilter } from "../../src/seccomp/compile.ts";
import { planFilter } from "../../src/seccomp/filter-plan.ts";
import { ARCHITECTURES } from "../../src/seccomp/names.ts";
import { findLibseccomp } from "../../src/sys/libseccomp.ts";
import { answer } from "./interpreter.ts";

const library = findLibseccomp();
const missing = library === null ? "needs libseccomp2" : process.arch !== "x64" ? "needs x86_64" : null;
const DOCKER = "../shared/bundles/docker/config.json";
const NATIVE = "SCMP_ARCH_X86_64";
const [ALLOW, ERRNO, KILL] = [0x7fff0000, 0x00050000, 0];
const ENOSYS = 38;
const I386 = 0x40000003;
const X32_BIT = 0x40000000;
const LONGEST = 4096;
const INSTRUCTION_BYTES = 8;

function compile(profile: Seccomp): Uint8Array {
  return compileFilter(planFilter(profile, NATIVE), library?.path ?? "").program;
}

/** All that Docker's profile names: some 450. */
function manyNames(): string[] {
  const { syscalls } = JSON.parse(readFileSync(DOCKER, "utf8")).linux.seccomp as Seccomp;
  return [...new Set(syscalls?.flatMap(({ names }) => names))];
}

describe.skipIf(missing !== null)(`filters${missing === null ? "" : ` (${missing})`}`, () => {
  const many = existsSync(DOCKER) ? manyNames() : [];

  it.for<[string, (names: string[]) => Seccomp]>([
    ["as many permissions as say nothing new", (names) => allowing([{ names, action: "SCMP_ACT_ALLOW" }])],
    [
      "names that nobody knows",
      (names) => allowing([{ names: names.map((name) => `no_${name}`), action: "SCMP_ACT_ERRNO" }]),
    ],
    ["no entry", () => allowing([])],
  ])("allows all by %s: a tree without a rule would kill", ([, profile], { skip }) => {
    skip(many.length === 0, `needs ${DOCKER}`);
    const program = compile(profile(many));
    for (const number of [0, 59, 83, 461]) expect(answer(program, { number })).toBe(ALLOW);
  });

  it.for([
    ["one condition", [{ index: 0, value: 0x1234567890, op: "SCMP_CMP_LE" }]],
    [
      "two conditions",
      [
        { index: 0, value: 0x1234567890, op: "SCMP_CMP_LE" },
        { index: 5, value: 0xff, valueTwo: 3, op: "SCMP_CMP_MASKED_EQ" },
      ],
    ],
  ] as const)("filters all calls on three ABIs by %s", ([, args], { skip }) => {
    skip(many.length === 0, `needs ${DOCKER}`);
    const architectures = ["SCMP_ARCH_X86", "SCMP_ARCH_X32"];
    const syscalls = [{ names: many, action: "SCMP_ACT_ALLOW", args: [...args] }];
    const program = compile({ defaultAction: "SCMP_ACT_ERRNO", architectures, syscalls });
    expect(program.length / INSTRUCTION_BYTES).toBeLessThanOrEqual(LONGEST);
    const [low, high] = [0x1234567890n, 0x1234567891n];
    for (const [number, architecture] of [
      [0, undefined],
      [439, undefined],
      [X32_BIT, undefined],
      [3, I386],
    ] as const) {
      const at = (first: bigint, last: bigint) =>
        answer(program, { number, ...(architecture && { architecture }), args: [first, 0n, 0n, 0n, 0n, last] });
      expect([number, at(low, 3n)]).toEqual([number, ALLOW]);
      expect([number, at(high, 3n)]).toEqual([number, ERRNO + 1]);
      expect([number, at(low, 4n)]).toEqual([number, args.length === 1 ? ALLOW : ERRNO + 1]);
    }
  });

  it("answers each ABI by its own newest call", () => {
    const architectures = ["SCMP_ARCH_X86", "SCMP_ARCH_X32"];
    // On i386 it is 295, on x32 and x86_64 257.
    const program = compile({
      defaultAction: "SCMP_ACT_ERRNO",
      architectures,
      syscalls: [{ names: ["openat"], action: "SCMP_ACT_ALLOW" }],
    });
    const answers = [257, 258, X32_BIT + 257, X32_BIT + 258].map((number) => answer(program, { number }));
    const of32 = [258, 295, 296].map((number) => answer(program, { number, architecture: I386 }));
    expect(answers).toEqual([ALLOW, ERRNO + ENOSYS, ALLOW, ERRNO + ENOSYS]);
    expect(of32).toEqual([ERRNO + 1, ALLOW, ERRNO + ENOSYS]);
  });

  it("takes every architecture at a time that this libseccomp and machine can, and their newest calls", () => {
    const possible = Object.keys(ARCHITECTURES).filter((name) => {
      try {
        compile({ defaultAction: "SCMP_ACT_ALLOW", architectures: [name] });
        return true;
      } catch {
        return false;
      }
    });
    expect(possible.length).toBeGreaterThan(5);
    const program = compile({
      defaultAction: "SCMP_ACT_ERRNO",
      architectures: possible,
      syscalls: [{ names: ["openat", "mkdirat"], action: "SCMP_ACT_ALLOW" }],
    });
    expect(answer(program, { number: 257 })).toBe(ALLOW);
    expect(answer(program, { number: 400 })).toBe(ERRNO + ENOSYS);
    expect(answer(program, { number: 9999, architecture: ARCHITECTURES.SCMP_ARCH_AARCH64 })).toBe(ERRNO + ENOSYS);
    expect(answer(program, { number: 56, architecture: ARCHITECTURES.SCMP_ARCH_AARCH64 })).toBe(ALLOW);
  });

  it("says of an architecture that it cannot have which it is, and why", () => {
    const having = (name: string) => () => compile({ defaultAction: "SCMP_ACT_ALLOW", architectures: [name] });
    expect(having("SCMP_ARCH_S390X")).toThrow("architecture SCMP_ARCH_S390X has another byte order than this machine");
  });

  it("kills what no filter is for: other machines' calls", () => {
    const program = compile({ defaultAction: "SCMP_ACT_LOG" });
    expect(answer(program, { number: 3, architecture: ARCHITECTURES.SCMP_ARCH_RISCV64 })).toBe(KILL);
  });

  it("refuses entries that contradict each other", () => {
    const errno = (errnoRet: number, indices: number[]) => ({
      names: ["getpriority"],
      action: "SCMP_ACT_ERRNO",
      errnoRet,
      args: indices.map((index) => ({ index, value: 1, op: "SCMP_CMP_EQ" })),
    });
    // The second one denies more. Passed over, it would leave a hole.
    expect(() => compile(allowing([errno(11, [0, 1]), errno(12, [0])]))).toThrow(
      "syscalls/1 contradicts what another entry says of getpriority under such conditions",
    );
    const program = compile(allowing([errno(11, [0]), errno(11, [0])]));
    expect(answer(program, { number: 140, args: [1n] })).toBe(ERRNO + 11);
  });
});

function allowing(syscalls: Seccomp["syscalls"]): Seccomp {
  return { defaultAction: "SCMP_ACT_ALLOW", syscalls: syscalls ?? [] };
}
