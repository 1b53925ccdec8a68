import { describe, expect, test } from "vitest";
import { formerValue, mergeResources, resourcesToSet } from "../../src/cgroup/update.ts";

describe("mergeResources", () => {
  test("0 and the empty string leave a value as it is, other values replace it", () => {
    const former = { memory: { limit: 100, swap: 200 }, cpu: { shares: 512, cpus: "0-1" } };
    expect(mergeResources(former, { memory: { limit: 0, swap: 300 }, cpu: { cpus: "", quota: -1 } })).toEqual({
      memory: { limit: 100, swap: 300 },
      cpu: { shares: 512, cpus: "0-1", quota: -1 },
    });
  });

  test("0 counts where it means something", () => {
    expect(mergeResources({ cpu: { idle: 1, burst: 5 } }, { cpu: { idle: 0, burst: 0 } })).toEqual({
      cpu: { idle: 0, burst: 0 },
    });
    expect(mergeResources({ pids: { limit: 7 } }, { pids: { limit: 0 } })).toEqual({ pids: { limit: 0 } });
  });

  test("lists are merged by device, and by page size", () => {
    const former = {
      blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1 }] },
      hugepageLimits: [{ pageSize: "2MB", limit: 1 }],
    };
    const change = {
      blockIO: {
        throttleReadBpsDevice: [
          { major: 8, minor: 16, rate: 2 },
          { major: 8, minor: 0, rate: 3 },
        ],
      },
      hugepageLimits: [{ pageSize: "1GB", limit: 4 }],
    };
    expect(mergeResources(former, change)).toEqual({
      blockIO: {
        throttleReadBpsDevice: [
          { major: 8, minor: 0, rate: 3 },
          { major: 8, minor: 16, rate: 2 },
        ],
      },
      hugepageLimits: [
        { pageSize: "2MB", limit: 1 },
        { pageSize: "1GB", limit: 4 },
      ],
    });
  });

  test("devices stay as they are", () => {
    const devices = [{ allow: true, access: "rwm" }];
    expect(mergeResources({ devices }, { devices: [] })).toEqual({ devices });
  });
});

describe("resourcesToSet", () => {
  test("a quota or a period brings the other along", () => {
    const former = { cpu: { quota: 10_000, period: 50_000, shares: 100 } };
    expect(resourcesToSet(former, { cpu: { quota: 20_000 } })).toEqual({ cpu: { quota: 20_000, period: 50_000 } });
    expect(resourcesToSet(former, { cpu: { period: 60_000 } })).toEqual({ cpu: { quota: 10_000, period: 60_000 } });
    expect(resourcesToSet(former, { cpu: { shares: 200 } })).toEqual({ cpu: { shares: 200 } });
  });

  test("swap is counted with memory, and stays their sum when memory changes", () => {
    const former = { memory: { limit: 100, swap: 200 } };
    expect(resourcesToSet(former, { memory: { swap: 300 } })).toEqual({ memory: { swap: 300, limit: 100 } });
    expect(resourcesToSet(former, { memory: { limit: 150 } })).toEqual({ memory: { limit: 150, swap: 200 } });
    expect(resourcesToSet({ memory: { limit: 100 } }, { memory: { limit: 150 } })).toEqual({ memory: { limit: 150 } });
    expect(resourcesToSet(former, { memory: { reservation: 5 } })).toEqual({ memory: { reservation: 5 } });
  });

  test("memory without a limit frees swap, too", () => {
    const former = { memory: { limit: 100, swap: 200 } };
    const free = { memory: { limit: -1, swap: -1 } };
    expect(resourcesToSet(former, { memory: { limit: -1 } })).toEqual(free);
    expect(mergeResources(former, { memory: { limit: -1 } })).toEqual(free);
    expect(mergeResources(former, { memory: { limit: -1, swap: 300 } })).toEqual({ memory: { limit: -1, swap: 300 } });
  });

  test("a share of CPU time and whether it counts bring each other along", () => {
    const former = { cpu: { shares: 512, idle: 1, quota: 10_000 } };
    expect(resourcesToSet(former, { cpu: { idle: 0 } })).toEqual({ cpu: { idle: 0, shares: 512 } });
    expect(resourcesToSet(former, { cpu: { shares: 9, idle: 1 } })).toEqual({ cpu: { idle: 1, shares: 9 } });
    expect(resourcesToSet({ cpu: { shares: 512 } }, { cpu: { shares: 9 } })).toEqual({ cpu: { shares: 9 } });
  });
});

describe("a share that is asked for ends that a cgroup is idle", () => {
  const idle = { cpu: { idle: 1, shares: 512 }, unified: { "cpu.idle": "1" } };
  const no = { cpu: { idle: 0, shares: 512 }, unified: { "cpu.idle": "0" } };

  test("by shares", () => {
    expect(resourcesToSet({ cpu: idle.cpu }, { cpu: { shares: 9 } })).toEqual({ cpu: { idle: 0, shares: 9 } });
    expect(resourcesToSet({ unified: idle.unified }, { cpu: { shares: 9 } })).toEqual({ cpu: { idle: 0, shares: 9 } });
    expect(mergeResources({ cpu: idle.cpu }, { cpu: { shares: 9 } })).toEqual({ cpu: { idle: 0, shares: 9 } });
    expect(mergeResources(idle, { cpu: { shares: 9 } })).toEqual({ ...no, cpu: { idle: 0, shares: 9 } });
  });

  test.each(["cpu.weight", "cpu.weight.nice"])("by %s", (file) => {
    const change = { unified: { [file]: "8" } };
    expect(resourcesToSet({ unified: idle.unified }, change)).toEqual({ cpu: { idle: 0 }, ...change });
    expect(resourcesToSet({ cpu: idle.cpu }, change)).toEqual({ cpu: { idle: 0 }, ...change });
    expect(mergeResources({ unified: idle.unified }, change)).toEqual({ unified: { [file]: "8", "cpu.idle": "0" } });
    expect(mergeResources({ cpu: idle.cpu }, change)).toEqual({ cpu: no.cpu, ...change });
  });

  test("but not by what says that it is, by anything else, and where it is not", () => {
    expect(mergeResources(idle, { cpu: { shares: 9, idle: 1 } })).toEqual({ ...idle, cpu: { idle: 1, shares: 9 } });
    expect(mergeResources(idle, { cpu: { quota: 5000 } })).toEqual({ ...idle, cpu: { ...idle.cpu, quota: 5000 } });
    expect(mergeResources({}, { cpu: { shares: 9 } })).toEqual({ cpu: { shares: 9 } });
    expect(resourcesToSet({}, { unified: { "cpu.weight": "8" } })).toEqual({ unified: { "cpu.weight": "8" } });
  });
});

describe("formerValue", () => {
  test.each([
    ["memory.max", "5", "max\n", "max"],
    ["cpu.max", "1000 2000", "max 100000\n", "max 100000"],
    ["cpu.weight", "5", "100\n", "100"],
    ["io.weight", "50", "default 100\n8:0 7\n", "100"],
    ["io.max", "8:0 rbps=5", "8:0 rbps=max wbps=7 riops=max wiops=max\n", "8:0 rbps=max wbps=7 riops=max wiops=max"],
    ["io.max", "8:16 rbps=5", "8:0 rbps=1 wbps=7 riops=max wiops=max\n", "8:16 rbps=max"],
    ["blkio.throttle.read_bps_device", "8:0 5", "8:16 1\n", "8:0 0"],
    ["blkio.throttle.read_bps_device", "8:0 5", "8:0 1\n", "8:0 1"],
    ["io.bfq.weight", "8:0 5", "default 100\n", "8:0 default"],
    ["net_prio.ifpriomap", "lo 5", "lo 0\neth0 3\n", "lo 0"],
  ])("of %s before %j", (file, next, text, value) => {
    expect(formerValue(file, next, text)).toBe(value);
  });
});
