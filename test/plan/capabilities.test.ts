import { describe, expect, it, test } from "vitest";
import { planCapabilities } from "../../src/plan/capabilities.ts";
import { describeProcess } from "../../src/plan/process-words.ts";
import { capabilityNames, capabilityNumber } from "../../src/sys/capability.ts";

const LAST = 40;

test("a set that has nearly all capabilities is described by those that it has not", () => {
  const all = capabilityNames();
  const describe = (effective: string[]): string =>
    describeProcess["set-capabilities"]({ effective, permitted: [], inheritable: [], ambient: ["CAP_KILL"] } as never);
  expect(describe(all)).toBe("set capabilities: effective all; permitted none; inheritable none; ambient CAP_KILL");
  expect(describe(all.filter((name) => name !== "CAP_BPF"))).toContain("effective all but CAP_BPF;");
});

describe("planCapabilities", () => {
  it("drops every capability of the kernel that is not in the bounding set", () => {
    const { bounding } = planCapabilities({ bounding: ["CAP_KILL", "CAP_BPF"] }, LAST);
    const [step] = bounding;
    expect(step).toMatchObject({ kind: "drop-bounding" });
    const dropped = step?.kind === "drop-bounding" ? step.capabilities : [];
    expect(dropped).toHaveLength(LAST + 1 - 2);
    expect(dropped).not.toContain("CAP_KILL");
    expect(dropped).toContain("CAP_CHECKPOINT_RESTORE");
  });

  it("knows nothing of capabilities above the kernel's last", () => {
    const plan = planCapabilities({ bounding: [], effective: ["CAP_BPF", "CAP_CHOWN"] }, 37);
    expect(plan.warning).toBe("ignoring unknown or unavailable capabilities: [CAP_BPF]");
    expect(plan.sets).toMatchObject([{ effective: ["CAP_CHOWN"] }]);
    expect(plan.bounding).not.toMatchObject([{ capabilities: expect.arrayContaining(["CAP_BPF"]) }]);
  });

  it("warns once of each unknown name, in order, as runc does, and leaves it out", () => {
    const plan = planCapabilities({ bounding: ["UNKNOWN_CAP", "CAP_UNKNOWN"], permitted: ["CAP_UNKNOWN"] }, LAST);
    expect(plan.warning).toBe("ignoring unknown or unavailable capabilities: [CAP_UNKNOWN UNKNOWN_CAP]");
    expect(plan.sets).toMatchObject([{ permitted: [] }]);
  });

  it("is silent of what the container was warned of when it was made", () => {
    const sets = { bounding: ["CAP_OLD", "CAP_NEW"], ambient: ["CAP_KILL"] };
    const plan = planCapabilities(sets, LAST, { bounding: ["CAP_OLD"], ambient: ["CAP_KILL"] });
    expect(plan.warning).toBe("ignoring unknown or unavailable capabilities: [CAP_NEW]");
    expect(plan.sets).toMatchObject([{ told: ["CAP_OLD", "CAP_KILL"] }]);
  });

  it("is silent when it knows all names", () => {
    expect(planCapabilities({ ambient: ["CAP_KILL"] }, LAST).warning).toBeNull();
  });
});

describe("capabilityNumber", () => {
  it.each([
    ["CAP_CHOWN", 0],
    ["CAP_KILL", 5],
    ["CAP_SYS_ADMIN", 21],
    ["CAP_SYSLOG", 34],
    ["CAP_CHECKPOINT_RESTORE", 40],
    ["KILL", null],
    ["cap_kill", null],
  ])("%s is %s", (name, number) => expect(capabilityNumber(name)).toBe(number));
});
