/** What libseccomp makes of real profiles, call by call: run through an interpreter of our own, for every name and every condition. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Seccomp } from "../../src/config/types.ts";
import { compileFilter } from "../../src/seccomp/compile.ts";
import { planFilter } from "../../src/seccomp/filter-plan.ts";
import { findLibseccomp, SeccompFilter } from "../../src/sys/libseccomp.ts";
import { answer } from "./interpreter.ts";

const library = findLibseccomp();
const missing = library === null ? "needs libseccomp2" : process.arch !== "x64" ? "needs x86_64" : null;
const path = library?.path ?? "";
const NATIVE = "SCMP_ARCH_X86_64";
const ALLOW = 0x7fff0000;
const ERRNO = 0x00050000;
const KILL = 0;

function compile(profile: Seccomp): Uint8Array {
  return compileFilter(planFilter(profile, NATIVE), path).program;
}

/** Numbers of calls on this machine; those that it has not are left out. */
function numbersOf(names: readonly string[]): number[] {
  using filter = new SeccompFilter(path, ALLOW);
  return names.map((name) => filter.resolve(name)).filter((number) => number !== null && number >= 0) as number[];
}

describe.skipIf(missing !== null)(`compileFilter${missing === null ? "" : ` (${missing})`}`, () => {
  it("passes over names that nobody knows, and says which", () => {
    const syscalls = [{ names: ["no_such_call", "mkdir"], action: "SCMP_ACT_ERRNO" }];
    const plan = planFilter({ defaultAction: "SCMP_ACT_ALLOW", syscalls }, NATIVE);
    const { program, unknown } = compileFilter(plan, path);
    expect(unknown).toEqual(["no_such_call"]);
    expect(answer(program, { number: numbersOf(["mkdir"])[0] as number })).toBe(ERRNO + 1);
    expect(() => compileFilter({ ...plan, failUnknown: true }, path)).toThrow(/unknown system calls: no_such_call/);
  });

  it("allows all by a profile without rules", () => {
    expect(answer(compile({ defaultAction: "SCMP_ACT_ALLOW" }), { number: 0 })).toBe(ALLOW);
  });

  it("kills x32 calls that a list of denials does not name", () => {
    const program = compile({
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_ERRNO" }],
    });
    expect(answer(program, { number: 0x40000000 + 39 })).toBe(KILL);
  });

  it("kills calls of an architecture that is not listed", () => {
    expect(answer(compile({ defaultAction: "SCMP_ACT_ALLOW" }), { number: 0, architecture: 0x40000003 })).toBe(KILL);
  });

  it("merges a denial with a condition and a permission without one as libseccomp does", () => {
    const program = compile({
      defaultAction: "SCMP_ACT_ERRNO",
      syscalls: [
        { names: ["personality"], action: "SCMP_ACT_ALLOW", args: [{ index: 0, value: 8, op: "SCMP_CMP_EQ" }] },
        { names: ["personality"], action: "SCMP_ACT_ALLOW" },
      ],
    });
    const [number = 0] = numbersOf(["personality"]);
    for (const value of [8n, 9n]) expect(answer(program, { number, args: [value] })).toBe(ALLOW);
  });

  it.each([
    ["SCMP_CMP_EQ", { value: 5 }, [5n], [4n, 6n, 5n + (1n << 32n)]],
    ["SCMP_CMP_NE", { value: 5 }, [4n, 5n + (1n << 32n)], [5n]],
    ["SCMP_CMP_LT", { value: 5 }, [0n, 4n], [5n, 6n, 1n << 40n]],
    ["SCMP_CMP_LE", { value: 5 }, [5n], [6n, 1n << 40n]],
    ["SCMP_CMP_GT", { value: 5 }, [6n, 1n << 40n], [5n]],
    ["SCMP_CMP_GE", { value: 5 }, [5n, 1n << 40n], [4n]],
    ["SCMP_CMP_MASKED_EQ", { value: 0xf0, valueTwo: 0x50 }, [0x5fn, 0x150n], [0x60n, 0n]],
    ["SCMP_CMP_EQ", { value: 18446744073709551615n }, [-1n], [0xffffffffn]],
  ])("compares by %s %o", (op, values, hits, misses) => {
    const args = [{ index: 2, op, ...values }];
    const program = compile({
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["mkdirat"], action: "SCMP_ACT_ERRNO", args }],
    });
    const [number = 0] = numbersOf(["mkdirat"]);
    for (const value of hits) expect(answer(program, { number, args: [0n, 0n, value] })).toBe(ERRNO + 1);
    for (const value of misses) expect(answer(program, { number, args: [0n, 0n, value] })).toBe(ALLOW);
  });

  it("refuses a filter that the kernel would not take, with its length", () => {
    const condition = (value: number) => ({
      names: ["mkdir"],
      action: "SCMP_ACT_ERRNO",
      args: [{ index: 0, value, op: "SCMP_CMP_EQ" }],
    });
    const syscalls = [...Array(4500).keys()].map(condition);
    expect(() => compile({ defaultAction: "SCMP_ACT_ALLOW", syscalls })).toThrow(
      /instructions, and the kernel takes 4096/,
    );
  });

  const bundles = ["docker", "podman", "containerd"].map(
    (name) => [name, `../shared/bundles/${name}/config.json`] as const,
  );
  it.for(bundles)("does with each call what %s's profile says", ([, file], { skip }) => {
    skip(!existsSync(file), `needs ${file}`);
    const profile = JSON.parse(readFileSync(file, "utf8")).linux?.seccomp as Seccomp | undefined;
    skip(profile === undefined, `${file} has no profile`);
    if (profile === undefined) return;
    const program = compile(profile);
    const unconditional = new Map<number, number>();
    const conditional = new Set<number>();
    for (const { names, args = [], action, errnoRet = 1 } of profile.syscalls ?? []) {
      for (const number of numbersOf(names)) {
        // What is said twice, libseccomp merges: as in every runtime that asks it in the same order.
        const said = action === "SCMP_ACT_ERRNO" ? ERRNO + errnoRet : ALLOW;
        if (args.length > 0 || (unconditional.get(number) ?? said) !== said) conditional.add(number);
        else unconditional.set(number, said);
      }
    }
    const newest = Math.max(...numbersOf((profile.syscalls ?? []).flatMap(({ names }) => names)));
    const denied = ERRNO + (profile.defaultErrnoRet ?? 1);
    for (let number = 0; number < 600; number++) {
      if (conditional.has(number)) continue;
      const expected = unconditional.get(number) ?? (number > newest ? ERRNO + 38 : denied);
      expect([number, answer(program, { number })]).toEqual([number, expected]);
    }
    // Each condition holds for its own value, and not for one that nobody lists.
    for (const { names, args = [], action } of profile.syscalls ?? []) {
      if (args.length !== 1 || action !== "SCMP_ACT_ALLOW" || args[0]?.op !== "SCMP_CMP_EQ") continue;
      for (const number of numbersOf(names)) {
        const at = (value: bigint) => [...Array(args[0]?.index).fill(0n), value];
        expect(answer(program, { number, args: at(BigInt(args[0]?.value ?? 0)) })).toBe(ALLOW);
        expect(answer(program, { number, args: at(0x1234567n) })).toBe(denied);
      }
    }
  });
});
