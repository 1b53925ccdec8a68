import { describe, expect, test } from "vitest";
import { planDevices } from "../../../src/cgroup/devices.ts";
import { parseProcDevices } from "../../../src/cgroup/systemd/container-unit.ts";
import {
  deviceProperties,
  listMask,
  resourceProperties,
  roundedQuota,
} from "../../../src/cgroup/systemd/properties.ts";
import type { Resources } from "../../../src/config/types.ts";

const INFINITY = 2n ** 64n - 1n;
const v2 = (resources: Resources, systemd = 256) => resourceProperties(resources, 2, systemd);

describe("limits as properties", () => {
  test("of memory: on v2 swap without memory, on v1 what systemd has", () => {
    const memory = { limit: 1000, swap: 1500, reservation: 500 };
    expect(v2({ memory })).toEqual([
      ["MemoryMax", "t", 1000n],
      ["MemorySwapMax", "t", 500n],
      ["MemoryLow", "t", 500n],
    ]);
    expect(resourceProperties({ memory }, 1, 252)).toEqual([["MemoryLimit", "t", 1000n]]);
  });

  test("no swap at all is a limit too: without it, a daemon-reload would take the file's away", () => {
    expect(v2({ memory: { limit: 1000, swap: 1000 } })).toContainEqual(["MemorySwapMax", "t", 0n]);
  });

  test("-1 is infinity, and what is absent is no property", () => {
    expect(v2({ memory: { limit: -1 }, pids: { limit: -1 }, cpu: { quota: -1 } })).toEqual([
      ["MemoryMax", "t", INFINITY],
      ["MemorySwapMax", "t", INFINITY],
      ["CPUQuotaPerSecUSec", "t", INFINITY],
      ["TasksMax", "t", INFINITY],
    ]);
    expect(v2({})).toEqual([]);
  });

  test("of pids: systemd knows no limit of 0", () => {
    expect(v2({ pids: { limit: 0 } })).toEqual([["TasksMax", "t", 1n]]);
  });

  test.each([
    [123_456, 100_000, 1_240_000n, 124_000],
    [50_000, 100_000, 500_000n, 50_000],
    [1, 100_000, 10_000n, 1000],
    [12_345, 50_000, 250_000n, 12_500],
  ])(
    "a quota of %d in %d is rounded up to hundredths of a CPU, and the file says the same",
    (quota, period, perSecond, rounded) => {
      expect(v2({ cpu: { quota, period } })).toEqual([
        ["CPUQuotaPeriodUSec", "t", BigInt(period)],
        ["CPUQuotaPerSecUSec", "t", perSecond],
      ]);
      expect(roundedQuota({ cpu: { quota, period } }).cpu?.quota).toBe(rounded);
    },
  );

  test("a systemd that does not know a property is not asked for it", () => {
    const resources = { cpu: { period: 50_000, cpus: "0", mems: "0" } };
    expect(v2(resources, 241)).toEqual([["CPUQuotaPerSecUSec", "t", INFINITY]]);
    expect(v2(resources, 244).map(([name]) => name)).toEqual([
      "CPUQuotaPeriodUSec",
      "CPUQuotaPerSecUSec",
      "AllowedCPUs",
      "AllowedMemoryNodes",
    ]);
  });

  test("CPUs are a mask whose first byte has the first eight", () => {
    expect(listMask("10-23")).toEqual([0, 0b11111100, 0xff]);
    expect(listMask("0,9")).toEqual([1, 2]);
  });

  test("of CPU time: a weight on v2, idle as a weight of 0 where systemd has it", () => {
    expect(v2({ cpu: { shares: 1024 } })).toEqual([["CPUWeight", "t", 100n]]);
    expect(resourceProperties({ cpu: { shares: 1024 } }, 1, 252)).toEqual([["CPUShares", "t", 1024n]]);
    expect(v2({ cpu: { shares: 1024, idle: 1 } })).toEqual([["CPUWeight", "t", 0n]]);
    expect(v2({ cpu: { idle: 1 } }, 251)).toEqual([]);
    expect(v2({ cpu: { shares: 1024, idle: 0 } })).toEqual([["CPUWeight", "t", 100n]]);
    expect(v2({ cpu: { idle: 0 } })).toEqual([["CPUWeight", "t", 2n ** 64n - 1n]]);
  });

  test("of CPU time by unified: idle has no other weight, in whatever order the files are named", () => {
    const idle = [["CPUWeight", "t", 0n]];
    expect(v2({ unified: { "cpu.idle": "1", "cpu.weight": "8" } })).toEqual(idle);
    expect(v2({ unified: { "cpu.weight": "8", "cpu.idle": "1" } })).toEqual(idle);
    expect(v2({ unified: { "cpu.weight": "8", "cpu.idle": "0" } })).toEqual([["CPUWeight", "t", 8n]]);
    expect(v2({ unified: { "cpu.idle": "0" } })).toEqual([["CPUWeight", "t", 2n ** 64n - 1n]]);
    expect(v2({ unified: { "cpu.idle": "1" } }, 251)).toEqual([]);
  });

  test("of block devices", () => {
    const blockIO = { weight: 1000, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 5 }] };
    expect(v2({ blockIO })).toEqual([
      ["IOWeight", "t", 10000n],
      ["IOReadBandwidthMax", "a(st)", [["/dev/block/8:0", 5n]]],
    ]);
  });

  test("what unified says wins, and what systemd has no property for is left to the file", () => {
    const unified = {
      "memory.max": "7",
      "memory.high": "max",
      "cpu.max": "50000 100000",
      "cpuset.cpus": "1",
      "io.max": "8:0 rbps=1",
    };
    expect(v2({ memory: { limit: 5 }, unified })).toEqual([
      ["MemoryMax", "t", 7n],
      ["MemoryHigh", "t", INFINITY],
      ["CPUQuotaPeriodUSec", "t", 100_000n],
      ["CPUQuotaPerSecUSec", "t", 500_000n],
      ["AllowedCPUs", "ay", [2]],
    ]);
  });
});

describe("devices as properties", () => {
  const names = parseProcDevices("Character devices:\n  1 mem\n136 pts\n\nBlock devices:\n  7 loop\n");
  const driverName = (type: "b" | "c", major: number) => names.get(`${type} ${major}`) ?? null;

  test("rules by number, by driver, and for all of a kind", () => {
    const rules = [
      { allow: false, access: "rwm" },
      { allow: true, type: "b", major: 7, access: "r" },
      { allow: true, type: "b", major: 99, access: "r" },
    ];
    const [reset, policy, allowed] = deviceProperties(planDevices(rules), driverName);
    expect(policy).toEqual(["DevicePolicy", "s", "strict"]);
    expect(reset).toEqual(["DeviceAllow", "a(ss)", []]);
    expect(allowed?.[2]).toEqual(
      expect.arrayContaining([
        ["char-*", "m"],
        ["/dev/char/1:3", "rwm"],
        ["char-pts", "rwm"],
        ["block-loop", "r"],
      ]),
    );
    // The kernel has no driver of that number: systemd could not say it.
    expect(JSON.stringify(allowed)).not.toMatch(/99|null/);
  });

  test("all devices need no policy", () => {
    const properties = deviceProperties(planDevices([{ allow: true, access: "rwm" }]), driverName);
    expect(properties).toEqual([
      ["DeviceAllow", "a(ss)", []],
      ["DevicePolicy", "s", "auto"],
    ]);
  });
});
