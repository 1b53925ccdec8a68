import { describe, expect, test } from "vitest";
import { DriverV1 } from "../../src/cgroup/driver-v1.ts";
import { DriverV2 } from "../../src/cgroup/driver-v2.ts";
import type { FsLocation } from "../../src/cgroup/plan.ts";
import { blockIoToWeight, integer, pidsMax, sharesToWeight, swapAlone } from "../../src/cgroup/resource-values.ts";
import { planResources, type ResourceStep, writeResource } from "../../src/cgroup/resources.ts";
import { needsControllers } from "../../src/cgroup/resources-v2.ts";
import type { Resources } from "../../src/config/types.ts";

function driver(version: 1 | 2): DriverV1 | DriverV2 {
  const location: FsLocation = {
    driver: "cgroupfs",
    mode: `v${version}`,
    hierarchies: [],
    explicit: true,
    rootless: false,
  };
  return version === 1 ? new DriverV1(location) : new DriverV2(location);
}

/** The writes, as `file=value`, with `?` where an error may be ignored. */
function writes(version: 1 | 2, resources: Resources): string[] {
  return planResources(resources, driver(version), { skipDevices: true }).map((step) =>
    step.kind === "write" ? `${step.file}${step.tolerate === undefined ? "" : "?"}=${step.value}` : step.kind,
  );
}

describe("conversions from v1 to v2", () => {
  test("CPU shares keep the default and both ends", () => {
    expect([1, 2, 1024, 3333, 262144, 500000].map(sharesToWeight)).toEqual([1, 1, 100, 256, 10000, 10000]);
  });

  test("block I/O weights", () => {
    expect([10, 750, 1000].map(blockIoToWeight)).toEqual([1, 7475, 10000]);
  });

  test("swap alone is what memory and swap together have above memory", () => {
    expect(swapAlone(300, 100)).toBe(200);
    expect(swapAlone(100, 100)).toBe(0);
    expect(swapAlone(0, 100)).toBeNull();
    expect(swapAlone(-1, 100)).toBe(-1);
    expect(swapAlone(0, -1)).toBe(-1);
    expect(swapAlone(500, -1)).toBe(500);
  });

  test.each([
    [100, 0, "unable to set swap limit without memory limit"],
    [100, -2, "invalid memory value: -2"],
    [100, 200, "memory+swap limit should be >= memory limit"],
  ])("swap %i of memory %i cannot be told", (swap, memory, message) => {
    expect(() => swapAlone(swap, memory)).toThrow(message);
  });

  test("pids: -1 is no limit, 0 counts as 1", () => {
    expect([-1, 0, 1, 50].map(pidsMax)).toEqual(["max", "1", "1", "50"]);
  });

  test("large limits are written in full", () => {
    expect(integer(2 ** 63 - 4096)).toBe("9223372036854771712");
    expect(integer(2n ** 64n - 1n)).toBe("18446744073709551615");
  });

  test("large limits lose no bit on their way", () => {
    const odd = 9007199254740993n;
    const device = { major: 8, minor: 0, rate: odd };
    const resources: Resources = {
      memory: { limit: odd, swap: odd + 2n, reservation: odd },
      cpu: { quota: odd, period: odd, burst: odd },
      hugepageLimits: [{ pageSize: "2MB", limit: 2n ** 64n - 1n }],
      blockIO: { throttleReadBpsDevice: [device], throttleWriteIOPSDevice: [device] },
    };
    expect(writes(1, resources)).toEqual(
      expect.arrayContaining([
        "memory.limit_in_bytes=9007199254740993",
        "memory.memsw.limit_in_bytes=9007199254740995",
        "memory.soft_limit_in_bytes=9007199254740993",
        "cpu.cfs_period_us=9007199254740993",
        "cpu.cfs_quota_us=9007199254740993",
        "hugetlb.2MB.limit_in_bytes=18446744073709551615",
        "blkio.throttle.read_bps_device=8:0 9007199254740993",
      ]),
    );
    expect(writes(2, resources)).toEqual(
      expect.arrayContaining([
        "memory.max=9007199254740993",
        "memory.swap.max=2",
        "memory.low=9007199254740993",
        "cpu.max=9007199254740993 9007199254740993",
        "hugetlb.2MB.max=18446744073709551615",
        "io.max=8:0 rbps=9007199254740993",
        "io.max=8:0 wiops=9007199254740993",
      ]),
    );
    expect(writes(2, { memory: { limit: 1, swap: odd + 1n } })).toContain("memory.swap.max=9007199254740993");
  });
});

describe("on cgroup v1", () => {
  test("what is unset or 0 is not written", () => {
    const zeros: Resources = {
      memory: { limit: 0, swap: 0, reservation: 0, disableOOMKiller: false, swappiness: -1 },
      cpu: { shares: 0, quota: 0, period: 0, cpus: "", mems: "" },
      blockIO: { weight: 0, leafWeight: 0 },
      network: { classID: 0 },
    };
    expect(writes(1, zeros)).toEqual([]);
  });

  test("memory and swap together can move both ways, whatever they are now", () => {
    expect(writes(1, { memory: { limit: 100, swap: 200 } })).toEqual([
      "memory.limit_in_bytes?=100",
      "memory.memsw.limit_in_bytes=200",
      "memory.limit_in_bytes=100",
    ]);
  });

  test("memory of TCP buffers has its own limit", () => {
    expect(writes(1, { memory: { kernelTCP: 4096 } })).toEqual(["memory.kmem.tcp.limit_in_bytes=4096"]);
  });

  test("memory set free sets swap free, where the kernel counts it", () => {
    expect(writes(1, { memory: { limit: -1 } })).toEqual([
      "memory.memsw.limit_in_bytes?=-1",
      "memory.limit_in_bytes=-1",
    ]);
  });

  test("the other memory limits", () => {
    const memory = { reservation: 5, disableOOMKiller: true, swappiness: 0 };
    expect(writes(1, { memory })).toEqual([
      "memory.soft_limit_in_bytes=5",
      "memory.oom_control=1",
      "memory.swappiness=0",
    ]);
    expect(() => writes(1, { memory: { swappiness: 101 } })).toThrow("invalid memory swappiness value: 101");
  });

  test("a period and a burst that do not fit the present quota are written again after the new one", () => {
    expect(writes(1, { cpu: { quota: 5000, period: 10000, burst: 100 } })).toEqual([
      "cpu.cfs_burst_us?=100",
      "cpu.cfs_period_us?=10000",
      "cpu.cfs_quota_us=5000",
      "cpu.cfs_period_us=10000",
      "cpu.cfs_burst_us?=100",
    ]);
    expect(writes(1, { cpu: { quota: -1 } })).toEqual(["cpu.cfs_quota_us=-1"]);
    expect(writes(1, { cpu: { period: 10000 } })).toEqual(["cpu.cfs_period_us=10000"]);
  });

  test("real-time bandwidth, idle and shares", () => {
    const cpu = { shares: 512, idle: 1, realtimeRuntime: 9, realtimePeriod: 10 };
    expect(writes(1, { cpu })).toEqual([
      "cpu.shares?=512",
      "cpu.idle=1",
      "cpu.rt_period_us?=10",
      "cpu.rt_runtime_us=9",
      "cpu.rt_period_us=10",
    ]);
  });

  test("a share is written while the cgroup is not idle: the kernel takes none then", () => {
    expect(writes(1, { cpu: { shares: 512, idle: 0 } })).toEqual(["cpu.idle=0", "cpu.shares=512"]);
    expect(writes(2, { cpu: { shares: 1024, idle: 0 } })).toEqual(["cpu.idle=0", "cpu.weight=100"]);
    expect(writes(2, { cpu: { shares: 1024, idle: 1 } })).toEqual(["cpu.weight?=100", "cpu.idle=1"]);
  });

  test("a share by unified likewise, in whatever order the files are named", () => {
    const become = { "cpu.idle": "1", "cpu.weight": "8", "pids.max": "5" };
    expect(writes(2, { unified: become })).toEqual(["cpu.weight?=8", "pids.max=5", "cpu.idle=1"]);
    const end = { "cpu.weight": "8", "cpu.idle": "0" };
    expect(writes(2, { unified: end })).toEqual(["cpu.idle=0", "cpu.weight=8"]);
  });

  test("shares that the kernel would clamp in silence are refused", () => {
    expect(() => writes(1, { cpu: { shares: 1 } })).toThrow("the minimum allowed cpu-shares is 2");
    expect(() => writes(1, { cpu: { shares: 262145 } })).toThrow("the maximum allowed cpu-shares is 262144");
  });

  test("block I/O weights go to BFQ's files where the scheduler-neutral ones are gone", () => {
    const steps = planResources({ blockIO: { weight: 500 } }, driver(1), { skipDevices: true });
    expect(steps).toEqual([
      {
        kind: "write",
        controller: "blkio",
        file: "blkio.weight",
        value: "500",
        otherwise: { file: "blkio.bfq.weight", value: "500" },
      },
    ]);
  });

  test("throttling, huge pages, network and rdma", () => {
    const resources: Resources = {
      blockIO: {
        throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 600 }],
        throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 7 }],
      },
      hugepageLimits: [{ pageSize: "2MB", limit: 4194304 }],
      network: { classID: 1048577, priorities: [{ name: "eth0", priority: 500 }] },
      rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10000 } },
    };
    expect(writes(1, resources)).toEqual([
      "blkio.throttle.read_bps_device=8:0 600",
      "blkio.throttle.write_iops_device=8:16 7",
      "hugetlb.2MB.limit_in_bytes=4194304",
      "hugetlb.2MB.rsvd.limit_in_bytes?=4194304",
      "net_cls.classid=1048577",
      "net_prio.ifpriomap=eth0 500",
      "rdma.max=mlx5_1 hca_handle=3 hca_object=10000",
    ]);
  });

  test("unified has no meaning", () => {
    expect(() => writes(1, { unified: { "memory.min": "1" } })).toThrow("cannot use unified on cgroup v1");
    expect(writes(1, { unified: {} })).toEqual([]);
  });
});

describe("on cgroup v2", () => {
  test("what engines ask for in the terms of v1 is converted", () => {
    const resources: Resources = {
      memory: { limit: 100, swap: 300, reservation: 50, disableOOMKiller: true },
      cpu: { shares: 1024, quota: 50000, period: 100000, cpus: "0-1", mems: "0" },
      pids: { limit: 50 },
      blockIO: { weight: 0 },
    };
    expect(writes(2, resources)).toEqual([
      "pids.max=50",
      "memory.swap.max=200",
      "memory.max=100",
      "memory.low=50",
      "cpu.weight=100",
      "cpu.max=50000 100000",
      "cpuset.cpus=0-1",
      "cpuset.mems=0",
    ]);
  });

  test("-1 is max, and swap may be missing where it is only set free or forbidden", () => {
    expect(writes(2, { memory: { limit: -1 } })).toEqual(["memory.swap.max?=max", "memory.max=max"]);
    expect(writes(2, { memory: { limit: 100, swap: 100 } })).toEqual(["memory.swap.max?=0", "memory.max=100"]);
  });

  test("a quota alone and a period alone", () => {
    expect(writes(2, { cpu: { quota: 500 } })).toEqual(["cpu.max=500 100000"]);
    expect(writes(2, { cpu: { quota: -1, period: 20000 } })).toEqual(["cpu.max=max 20000"]);
  });

  test("block I/O: BFQ's own scale where it is there, the converted one elsewhere", () => {
    const [step] = planResources({ blockIO: { weight: 750 } }, driver(2), { skipDevices: true });
    expect(step).toMatchObject({
      file: "io.bfq.weight",
      value: "750",
      otherwise: { file: "io.weight", value: "7475" },
    });
  });

  test("unified comes last, line by line, and wins", () => {
    const unified = { "io.max": "8:0 riops=1\n8:16 riops=2\n", "memory.max": "5" };
    expect(writes(2, { memory: { limit: 100 }, unified })).toEqual([
      "memory.max=100",
      "io.max=8:0 riops=1",
      "io.max=8:16 riops=2",
      "memory.max=5",
    ]);
  });

  test("unified names are files of controllers", () => {
    expect(() => writes(2, { unified: { "../x": "1" } })).toThrow("must be a file name (no slashes)");
    expect(() => writes(2, { unified: { memory: "1" } })).toThrow("must be in the form CONTROLLER.PARAMETER");
  });

  test("an update can be made to fail rather than to kill", () => {
    const memory = { limit: 100, swap: 200, checkBeforeUpdate: true };
    expect(writes(2, { memory }).slice(0, 2)).toEqual(["require-usage-below", "require-usage-below"]);
  });
});

describe("planResources", () => {
  test("puts the devices first, and leaves them out when told", () => {
    const kinds = (skipDevices: boolean) =>
      planResources({ pids: { limit: 1 } }, driver(2), { skipDevices }).map(({ kind }) => kind);
    expect(kinds(false)).toEqual(["devices", "write"]);
    expect(kinds(true)).toEqual(["write"]);
  });

  test("devices alone need no controller", () => {
    expect(needsControllers({ devices: [{ allow: false, access: "rwm" }], blockIO: { weight: 0 } })).toBe(false);
    expect(needsControllers({ pids: { limit: 5 } })).toBe(true);
    expect(needsControllers({})).toBe(false);
  });
});

describe("writeResource", () => {
  const step = (more: object) => ({ kind: "write", controller: "x", file: "f", value: "1", ...more }) as const;
  const failing = (code: string) => {
    const written: string[] = [];
    const write = (file: string, value: string) => {
      if (file === "f") throw Object.assign(new Error(code), { code });
      written.push(`${file}=${value}`);
    };
    return { written, write };
  };

  test("ignores the errors that the step tolerates, and no others", () => {
    const tolerant = step({ tolerate: ["EINVAL"] }) as Extract<ResourceStep, { kind: "write" }>;
    expect(() => writeResource(tolerant, failing("EINVAL").write)).not.toThrow();
    expect(() => writeResource(tolerant, failing("EPERM").write)).toThrow("EPERM");
    expect(() => writeResource(step({}), failing("EINVAL").write)).toThrow("EINVAL");
  });

  test("writes the other file when the first is not there", () => {
    const { written, write } = failing("ENOENT");
    writeResource(step({ otherwise: { file: "g", value: "2" } }), write);
    expect(written).toEqual(["g=2"]);
  });
});
