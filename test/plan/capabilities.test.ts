import { describe, expect, it } from "vitest";
import { planCapabilities } from "../../src/plan/capabilities.ts";
import { capabilityNumber } from "../../src/sys/capability.ts";

const LAST = 40;

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
