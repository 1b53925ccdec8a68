import { describe, expect, it } from "vitest";
import { planIntelRdt } from "../../src/plan/intel-rdt.ts";

describe("planIntelRdt", () => {
  it("plans nothing where nothing is asked for", () => {
    expect(planIntelRdt(undefined, "c1")).toBeNull();
  });

  it("names the class after the container, and writes the schemata in order", () => {
    const intelRdt = { l3CacheSchema: "L3:0=f", memBwSchema: "MB:0=20", schemata: ["L2:0=3"] };
    expect(planIntelRdt(intelRdt, "c1")).toEqual({
      group: "c1",
      own: true,
      mustExist: false,
      schemata: ["L3:0=f", "MB:0=20", "L2:0=3"],
      monitoring: null,
      needs: { l3Cache: true, memoryBandwidth: true },
    });
  });

  it("takes a named class as it is when there is no schema to make it by", () => {
    expect(planIntelRdt({ closID: "gold" }, "c1")).toMatchObject({ group: "gold", own: false, mustExist: true });
  });

  it("places the monitoring group in the class, or in the default class", () => {
    expect(planIntelRdt({ closID: "gold", enableMonitoring: true }, "c1")?.monitoring).toBe("gold/mon_groups/c1");
    expect(planIntelRdt({ closID: "/", enableMonitoring: true }, "c1")?.monitoring).toBe("mon_groups/c1");
  });

  it.each([".", "..", "a/b", "/a"])("refuses the class %j", (closID) => {
    expect(() => planIntelRdt({ closID }, "c1")).toThrow("invalid intelRdt.ClosID");
  });
});
