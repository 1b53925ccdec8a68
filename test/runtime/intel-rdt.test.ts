import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { IntelRdt } from "../../src/config/types.ts";
import { type IntelRdtPlan, planIntelRdt } from "../../src/plan/intel-rdt.ts";
import { findResctrl, intelRdtStats, ResctrlGroup } from "../../src/runtime/intel-rdt.ts";

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

describe("a process that comes later", () => {
  const group = () => new ResctrlGroup(plan({ closID: "gold", enableMonitoring: true }), root);

  it("is in the class, and then in the container's monitoring", () => {
    mkdirSync(join(root, "gold/mon_groups/c1"), { recursive: true });
    group().join(43);
    expect(read("gold/tasks")).toBe("43");
    expect(read("gold/mon_groups/c1/tasks")).toBe("43");
  });

  it("is in neither when they have been removed", () => {
    group().join(43);
    expect(existsSync(join(root, "gold"))).toBe(false);
  });
});

describe("intelRdtStats", () => {
  const write = (path: string, text: string) => {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), text);
  };

  it("says nothing of a container without a class, or where there is no resctrl", () => {
    expect(intelRdtStats(undefined, "c1", root)).toEqual({});
    expect(intelRdtStats({}, "c1", null)).toEqual({});
  });

  it("says what there is, and what the container's class has of it", () => {
    for (const [file, value] of Object.entries({ cbm_mask: "fffff", min_cbm_bits: "1", num_closids: "16" }))
      write(`info/L3/${file}`, `${value}\n`);
    for (const [file, value] of Object.entries({
      bandwidth_gran: 10,
      delay_linear: 1,
      min_bandwidth: 10,
      num_closids: 8,
    }))
      write(`info/MB/${file}`, `${value}\n`);
    write("schemata", "    MB:0=100\n    L3:0=fffff\n");
    write("c1/schemata", "    MB:0= 20\n    L3:0=0000f\n    L2:0=ff\n");
    expect(intelRdtStats({}, "c1", root)).toEqual({
      l3_cache_info: { cbm_mask: "fffff", min_cbm_bits: 1, num_closids: 16 },
      mem_bw_info: { bandwidth_gran: 10, delay_linear: 1, min_bandwidth: 10, num_closids: 8 },
      l3_cache_schema_root: "L3:0=fffff",
      mem_bw_schema_root: "MB:0=100",
      l3_cache_schema: "L3:0=0000f",
      mem_bw_schema: "MB:0= 20",
      schemata: ["MB:0= 20", "L3:0=0000f", "L2:0=ff"],
    });
  });

  it("counts the container alone where it is monitored, and else its class", () => {
    for (const [directory, bytes] of [
      ["gold", 7],
      ["gold/mon_groups/c1", 3],
    ] as const) {
      write(`${directory}/mon_data/mon_L3_00/mbm_total_bytes`, `${bytes}\n`);
      write(`${directory}/mon_data/mon_L3_00/mbm_local_bytes`, `${bytes}\n`);
      write(`${directory}/mon_data/mon_L3_00/llc_occupancy`, `${bytes}\n`);
    }
    const counted = (bytes: number) => ({
      mbm_stats: [{ mbm_total_bytes: bytes, mbm_local_bytes: bytes }],
      cmt_stats: [{ llc_occupancy: bytes }],
    });
    expect(intelRdtStats({ closID: "gold" }, "c1", root)).toEqual(counted(7));
    expect(intelRdtStats({ closID: "gold", enableMonitoring: true }, "c1", root)).toEqual(counted(3));
  });
});

describe("findResctrl", () => {
  it("finds the filesystem wherever it is mounted", () => {
    const mountinfo = "22 1 0:20 / /proc rw shared:5 - proc proc rw\n30 1 0:9 / /mnt/rdt rw - resctrl resctrl rw\n";
    expect(findResctrl(mountinfo)).toBe("/mnt/rdt");
    expect(findResctrl("22 1 0:20 / /proc rw - proc proc rw\n")).toBeNull();
  });
});
