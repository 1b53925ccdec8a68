import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { IntelRdt } from "../../src/config/types.ts";
import { type IntelRdtPlan, planIntelRdt } from "../../src/plan/intel-rdt.ts";
import { findResctrl, ResctrlGroup } from "../../src/runtime/intel-rdt.ts";

// An ordinary directory stands in for the resctrl filesystem: it takes the same calls, if without their effect.
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "resctrl-"));
});
afterEach(() => rmSync(root, { recursive: true }));

const plan = (intelRdt: IntelRdt) => planIntelRdt(intelRdt, "c1") as IntelRdtPlan;
const read = (path: string) => readFileSync(join(root, path), "utf8");

describe("ResctrlGroup", () => {
  it("makes the container's own class, puts the process in it and writes its schemata", () => {
    const group = new ResctrlGroup(plan({ schemata: ["MB:0=20", "L3:0=f"] }), root);
    expect(group.removable).toBe(join(root, "c1"));
    group.create(42);
    expect(read("c1/tasks")).toBe("42");
    expect(read("c1/schemata")).toBe("MB:0=20\nL3:0=f\n");
  });

  it("claims for removal neither a named class nor one that was there before", () => {
    mkdirSync(join(root, "c1"));
    expect(new ResctrlGroup(plan({}), root).removable).toBeNull();
    expect(new ResctrlGroup(plan({ closID: "gold", schemata: ["L3:0=f"] }), root).removable).toBeNull();
  });

  it("makes a monitoring group in a named class, and claims that", () => {
    mkdirSync(join(root, "gold/mon_groups"), { recursive: true });
    const group = new ResctrlGroup(plan({ closID: "gold", enableMonitoring: true }), root);
    expect(group.removable).toBe(join(root, "gold/mon_groups/c1"));
    group.create(42);
    expect(read("gold/tasks")).toBe("42");
    expect(read("gold/mon_groups/c1/tasks")).toBe("42");
    expect(existsSync(join(root, "gold/schemata"))).toBe(false);
  });

  it("refuses a named class that is not there and that nothing says how to make", () => {
    expect(() => new ResctrlGroup(plan({ closID: "gold" }), root).create(42)).toThrow("clos dir not accessible");
  });

  it("adds the kernel's own diagnosis to a failure", () => {
    mkdirSync(join(root, "info"));
    writeFileSync(join(root, "info/last_cmd_status"), "no free closid\n");
    mkdirSync(join(root, "c1/tasks"), { recursive: true });
    expect(() => new ResctrlGroup(plan({}), root).create(42)).toThrow(/add pid 42.*, last_cmd_status: no free closid/);
  });

  it("says what the machine lacks", () => {
    expect(() => new ResctrlGroup(plan({}), null)).toThrow("Intel RDT is not enabled");
    expect(() => new ResctrlGroup(plan({ l3CacheSchema: "L3:0=f" }), root)).toThrow("Intel RDT/CAT is not enabled");
    expect(() => new ResctrlGroup(plan({ memBwSchema: "MB:0=20" }), root)).toThrow("Intel RDT/MBA is not enabled");
  });
});

describe("findResctrl", () => {
  it("finds the filesystem wherever it is mounted", () => {
    const mountinfo = "22 1 0:20 / /proc rw shared:5 - proc proc rw\n30 1 0:9 / /mnt/rdt rw - resctrl resctrl rw\n";
    expect(findResctrl(mountinfo)).toBe("/mnt/rdt");
    expect(findResctrl("22 1 0:20 / /proc rw - proc proc rw\n")).toBeNull();
  });
});
