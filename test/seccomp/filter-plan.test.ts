import { describe, expect, it } from "vitest";
import { planFilter } from "../../src/seccomp/filter-plan.ts";

const NATIVE = "SCMP_ARCH_X86_64";
const ALLOW = 0x7fff0000;
const ERRNO = 0x00050000;

describe("planFilter", () => {
  it("has the machine's own architecture where the profile does not list it", () => {
    const plan = planFilter({ defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86"] }, NATIVE);
    expect(plan.architectures).toEqual([0xc000003e, 0x40000003]);
  });

  it("returns EPERM where the profile names no errno, and the errno where it does", () => {
    const syscalls = [
      { names: ["a"], action: "SCMP_ACT_ERRNO" },
      { names: ["b"], action: "SCMP_ACT_ERRNO", errnoRet: 38 },
      { names: ["c"], action: "SCMP_ACT_TRACE", errnoRet: 7 },
      { names: ["d"], action: "SCMP_ACT_KILL_PROCESS" },
    ];
    const { rules } = planFilter({ defaultAction: "SCMP_ACT_ALLOW", syscalls }, NATIVE);
    expect(rules.map(({ action }) => action)).toEqual([ERRNO + 1, ERRNO + 38, 0x7ff00007, 0x80000000]);
  });

  it("leaves out rules that do what is done in any case, but not those of another errno", () => {
    const syscalls = [
      { names: ["a"], action: "SCMP_ACT_ERRNO" },
      { names: ["b"], action: "SCMP_ACT_ERRNO", errnoRet: 38 },
    ];
    const { rules } = planFilter({ defaultAction: "SCMP_ACT_ERRNO", syscalls }, NATIVE);
    expect(rules.map(({ names }) => names)).toEqual([["b"]]);
  });

  it("takes conditions on several arguments together, and on one argument as alternatives", () => {
    const on = (index: number, value: number) => ({ index, value, op: "SCMP_CMP_EQ" });
    const syscalls = [
      { names: ["a"], action: "SCMP_ACT_ALLOW", args: [on(0, 1), on(1, 2)] },
      { names: ["b"], action: "SCMP_ACT_ALLOW", args: [on(0, 1), on(0, 2)] },
    ];
    const { rules } = planFilter({ defaultAction: "SCMP_ACT_ERRNO", syscalls }, NATIVE);
    expect(rules.map(({ names, conditions }) => [names[0], conditions.map(({ value }) => value)])).toEqual([
      ["a", ["1", "2"]],
      ["b", ["1"]],
      ["b", ["2"]],
    ]);
  });

  it("keeps all 64 bits of a value", () => {
    const args = [{ index: 0, value: 18446744073709551615n, valueTwo: 9007199254740993n, op: "SCMP_CMP_MASKED_EQ" }];
    const { rules } = planFilter(
      { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["a"], action: "SCMP_ACT_ERRNO", args }] },
      NATIVE,
    );
    expect(rules[0]?.conditions[0]).toEqual({
      index: 0,
      operator: 7,
      value: "18446744073709551615",
      valueTwo: "9007199254740993",
    });
  });

  it.each([
    ["SCMP_ACT_ERRNO", undefined, true],
    ["SCMP_ACT_ERRNO", 38, false],
    ["SCMP_ACT_KILL", undefined, true],
    ["SCMP_ACT_TRAP", undefined, true],
    ["SCMP_ACT_ALLOW", undefined, false],
    ["SCMP_ACT_LOG", undefined, false],
    ["SCMP_ACT_TRACE", undefined, false],
  ])("with the default action %s %s, answers new calls itself: %s", (defaultAction, defaultErrnoRet, itself) => {
    const profile = { defaultAction, ...(defaultErrnoRet !== undefined && { defaultErrnoRet }) };
    expect(planFilter(profile, NATIVE).newCallsAreMissing).toBe(itself);
  });

  it("does not know another default", () => {
    expect(planFilter({ defaultAction: "SCMP_ACT_ALLOW" }, NATIVE).defaultAction).toBe(ALLOW);
  });
});
