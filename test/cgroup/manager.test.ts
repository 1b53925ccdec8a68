import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { readOwnCgroups } from "../../src/cgroup/layout.ts";
import { type Cgroup, openCgroup } from "../../src/cgroup/manager.ts";
import type { CgroupHierarchy, CgroupLocation } from "../../src/cgroup/plan.ts";
import { parseSubCgroups } from "../../src/cgroup/sub-cgroups.ts";
import type { Resources } from "../../src/config/types.ts";
import { attachedDevicePrograms } from "../../src/sys/bpf.ts";
import { disableControllers, Idler, ownCgroup, reasonToSkip, runInside } from "./live.ts";

const made: Cgroup[] = [];

function make(only: "all" | "v2", path?: string): Cgroup {
  const cgroup = ownCgroup(only, path);
  made.push(cgroup);
  return cgroup;
}

afterAll(disableControllers);

afterEach(() => {
  for (const cgroup of made.splice(0)) {
    cgroup.killAll(9);
    cgroup.remove();
    // A path of several directories leaves its ancestors, as it must: they may be others'.
    for (const path of Object.values(cgroup.paths())) {
      const parent = join(path, "..");
      if (/tsrunc-test-\d+-\d+$/.test(parent)) spawnSync("rmdir", [parent]);
    }
  }
});

function read(cgroup: Cgroup, controller: string, file: string): string {
  return readFileSync(`${cgroup.paths()[controller]}/${file}`, "utf8").trim();
}

const skipV1 = reasonToSkip(1);
const skipV2 = reasonToSkip(2);
const title = (text: string, reason: string | null) => (reason === null ? text : `${text} (skipped: ${reason})`);

describe.skipIf(skipV1 !== null)(title("on this machine's v1 hierarchies", skipV1), () => {
  test("a container's cgroup is made, joined and removed in every hierarchy", () => {
    const cgroup = make("all");
    cgroup.assertUnused();
    cgroup.create();
    const paths = cgroup.paths();
    expect(Object.values(paths).every((path) => existsSync(path))).toBe(true);
    {
      using process = new Idler();
      cgroup.join(process.pid);
      const joined = readOwnCgroups(process.pid);
      for (const [controller, path] of Object.entries(paths))
        expect(path.endsWith(joined.get(controller) ?? "?")).toBe(true);
      expect(cgroup.pids({ recursive: false })).toEqual([process.pid]);
      cgroup.killAll(9);
    }
    cgroup.remove();
    expect(Object.values(paths).some((path) => existsSync(path))).toBe(false);
    cgroup.remove();
  });

  test("a new cpuset has what its nearest ancestor has, so that a process can join it", () => {
    const cgroup = make("all", "deep");
    cgroup.create();
    expect(read(cgroup, "cpuset", "cpuset.mems")).toBe(read(cgroup, "cpuset", "../../cpuset.mems"));
    expect(read(cgroup, "cpuset", "cpuset.cpus")).toBe(read(cgroup, "cpuset", "../../cpuset.cpus"));
  });

  test("a cpuset asked for is set before anything can join", () => {
    const cgroup = make("all");
    cgroup.create({ cpu: { cpus: "0" } });
    expect(read(cgroup, "cpuset", "cpuset.cpus")).toBe("0");
  });

  test("a cpuset asked for below an ancestor that is new, too, is set", () => {
    const cgroup = make("all", "deep");
    cgroup.create({ cpu: { cpus: "0" } });
    expect(read(cgroup, "cpuset", "cpuset.cpus")).toBe("0");
    expect(read(cgroup, "cpuset", "../cpuset.cpus")).toBe(read(cgroup, "cpuset", "../../cpuset.cpus"));
  });

  test("the limits that engines ask for arrive", () => {
    const cgroup = make("all");
    cgroup.create();
    const memory = { limit: 67108864, swap: 134217728, reservation: 33554432, disableOOMKiller: false };
    const cpu = { shares: 512, quota: 50000, period: 100000 };
    cgroup.setResources({ memory, cpu, pids: { limit: 50 }, blockIO: { weight: 0 } });
    expect(read(cgroup, "memory", "memory.limit_in_bytes")).toBe("67108864");
    expect(read(cgroup, "memory", "memory.memsw.limit_in_bytes")).toBe("134217728");
    expect(read(cgroup, "memory", "memory.soft_limit_in_bytes")).toBe("33554432");
    expect(read(cgroup, "cpu", "cpu.shares")).toBe("512");
    expect(read(cgroup, "cpu", "cpu.cfs_quota_us")).toBe("50000");
    expect(read(cgroup, "pids", "pids.max")).toBe("50");
  });

  test("memory and swap can be raised and lowered past each other", () => {
    const cgroup = make("all");
    cgroup.create();
    for (const limit of [64, 256, 32]) {
      const bytes = limit * 1048576;
      cgroup.setResources({ memory: { limit: bytes, swap: bytes } }, { skipDevices: true });
      expect(read(cgroup, "memory", "memory.limit_in_bytes")).toBe(String(bytes));
      expect(read(cgroup, "memory", "memory.memsw.limit_in_bytes")).toBe(String(bytes));
    }
  });

  test("memory and swap below memory alone is told by both limits", () => {
    const cgroup = make("all");
    cgroup.create();
    const set = (memory: Resources["memory"] & object) => () => cgroup.setResources({ memory }, { skipDevices: true });
    const words = "memory+swap limit should be >= memory limit: it is 65536, and";
    expect(set({ swap: 65536 })).toThrow(`${words} there is none of memory`);
    expect(set({ limit: -1, swap: 65536 })).toThrow(`${words} there is none of memory`);
    expect(set({ limit: 1 << 20, swap: 65536 })).toThrow(`${words} that of memory is 1048576`);
    set({ limit: 1 << 20, swap: 2 << 20 })();
    expect(set({ limit: 4 << 20 })).toThrow("memory limit: it is 2097152, and that of memory is 4194304");
    expect(set({ limit: -2 })).toThrow('write "-2" to');
  });

  test("a file that this kernel has not is named, with the one that may stand for it", () => {
    const cgroup = make("all");
    cgroup.create();
    expect(() => cgroup.setResources({ blockIO: { leafWeight: 500 } }, { skipDevices: true })).toThrow(
      'cannot set blkio.leaf_weight to "500": this kernel has no blkio.leaf_weight',
    );
    const location = structuredClone(cgroup.location) as Extract<CgroupLocation, { driver: "cgroupfs" }>;
    // The root has no weight, of no scheduler.
    for (const hierarchy of location.hierarchies)
      if (hierarchy.controllers.includes("blkio")) hierarchy.directory = hierarchy.mountPoint;
    expect(() => openCgroup(location).setResources({ blockIO: { weight: 500 } }, { skipDevices: true })).toThrow(
      'cannot set blkio.weight to "500": this kernel has no blkio.weight nor blkio.bfq.weight',
    );
  });

  test("devices are denied but for those allowed, and a change changes only what differs", () => {
    const cgroup = make("all");
    cgroup.create();
    const deny = { allow: false, access: "rwm" };
    cgroup.setResources({ devices: [deny, { allow: true, type: "b", major: 8, access: "r" }] });
    expect(read(cgroup, "devices", "devices.list").split("\n")).toContain("b 8:* r");
    cgroup.setResources({ devices: [deny] });
    const list = read(cgroup, "devices", "devices.list").split("\n");
    expect(list).toHaveLength(11);
    expect(list).toContain("c 1:3 rwm");
  });

  test("devices that cannot be denied for the cgroups below are told with one of these", () => {
    const cgroup = make("all");
    cgroup.create();
    mkdirSync(`${cgroup.paths().devices}/below`);
    expect(() => cgroup.setResources({ devices: [{ allow: false, access: "rwm" }] })).toThrow(
      /devices\.deny: EINVAL.* \(there are cgroups below .*, below for one: /,
    );
  });

  test("a limit of a controller that is not here is an error", () => {
    const location = structuredClone(make("all").location) as Extract<CgroupLocation, { driver: "cgroupfs" }>;
    location.hierarchies = location.hierarchies.filter(({ controllers }) => !controllers.includes("pids"));
    expect(() => openCgroup(location).setResources({ pids: { limit: 1 } }, { skipDevices: true })).toThrow(
      "cannot set pids limit: container could not join or create cgroup",
    );
  });

  test("a frozen container is seen as such, and thaws", () => {
    const cgroup = make("all");
    cgroup.create();
    using process = new Idler();
    cgroup.join(process.pid);
    cgroup.freeze();
    expect(cgroup.isFrozen()).toBe(true);
    cgroup.thaw();
    expect(cgroup.isFrozen()).toBe(false);
  });

  test("a frozen process dies of killAll", async () => {
    const cgroup = make("all");
    cgroup.create();
    using process = new Idler();
    cgroup.join(process.pid);
    cgroup.freeze();
    cgroup.killAll(9);
    expect(await process.ended).toBe("SIGKILL");
  });

  test("exec --cgroup joins a cgroup below the container's, in the hierarchies named", () => {
    const cgroup = make("all");
    cgroup.create();
    mkdirSync(`${cgroup.paths()["memory"]}/sub`);
    using process = new Idler();
    cgroup.join(process.pid, { sub: parseSubCgroups(["memory:sub"]), initPid: null });
    const joined = readOwnCgroups(process.pid);
    expect(joined.get("memory")).toMatch(/\/sub$/);
    expect(joined.get("devices")).not.toMatch(/\/sub$/);
  });

  test("exec --cgroup into a cgroup that is not there says so in runc's words", () => {
    const cgroup = make("all");
    cgroup.create();
    using process = new Idler();
    for (const sub of [["nonexistent"], ["cpu:nonexistent"]]) {
      const exec = { sub: parseSubCgroups(sub), initPid: null };
      expect(() => cgroup.join(process.pid, exec)).toThrow(
        /error adding pid \d+ to cgroups: .*no such file or directory/,
      );
      expect(() => cgroup.openTasks(exec)).toThrow(/error adding pid .* to cgroups: .*no such file or directory/);
    }
  });
});

describe.each([
  ["all", skipV1 ?? skipV2],
  ["v2", skipV2],
] as const)("in %s hierarchies", (only, reason) => {
  const live = test.skipIf(reason !== null);
  if (reason !== null) test.skip(`needs cgroups: ${reason}`);

  live("a cgroup with processes is no place for a new container", () => {
    const cgroup = make(only);
    cgroup.create();
    using process = new Idler();
    cgroup.join(process.pid);
    expect(() => cgroup.assertUnused()).toThrow("container's cgroup is not empty: 1 process(es) found");
  });

  live("nor is a frozen one", () => {
    const cgroup = make(only);
    cgroup.create();
    cgroup.freeze();
    expect(() => cgroup.assertUnused()).toThrow("container's cgroup unexpectedly frozen");
    cgroup.thaw();
  });

  live("killAll reaches the processes of the cgroups below", async () => {
    const cgroup = make(only);
    cgroup.create();
    const directory = cgroup.paths()[only === "v2" ? "" : "devices"] as string;
    mkdirSync(`${directory}/below`);
    using process = new Idler();
    execFileSync("sh", ["-c", `echo ${process.pid} >${directory}/below/cgroup.procs`]);
    expect(cgroup.pids({ recursive: false })).toEqual([]);
    expect(cgroup.pids({ recursive: true })).toEqual([process.pid]);
    cgroup.killAll(9);
    expect(await process.ended).toBe("SIGKILL");
  });

  live("killAll sends other signals too", async () => {
    const cgroup = make(only);
    cgroup.create();
    using process = new Idler();
    cgroup.join(process.pid);
    cgroup.killAll(15);
    expect(await process.ended).toBe("SIGTERM");
  });

  live("nothing is left frozen by killAll, nor anybody left out, when a process cannot be told", async () => {
    const cgroup = make(only);
    cgroup.create();
    using process = new Idler();
    cgroup.join(process.pid);
    // What the kernel says of a signal that there is none of stands for EPERM, which root does not get.
    const NO_SIGNAL = 1000;
    expect(() => cgroup.killAll(NO_SIGNAL)).toThrow("EINVAL");
    expect(cgroup.isFrozen()).toBe(false);
    cgroup.killAll(15);
    expect(await process.ended).toBe("SIGTERM");
  });

  live("remove takes the cgroups below with it", () => {
    const cgroup = make(only);
    cgroup.create();
    for (const path of Object.values(cgroup.paths())) mkdirSync(`${path}/a/b`, { recursive: true });
    cgroup.remove();
    expect(Object.values(cgroup.paths()).some((path) => existsSync(path))).toBe(false);
  });

  live("remove fails while processes are left", () => {
    const cgroup = make(only);
    cgroup.create();
    using process = new Idler();
    cgroup.join(process.pid);
    expect(() => cgroup.remove()).toThrow(/Failed to remove paths: rmdir .*EBUSY/);
  });
});

describe.skipIf(skipV2 !== null)(title("on this machine's v2 hierarchy", skipV2), () => {
  test("missing ancestors are made, with every controller enabled for the container", () => {
    const cgroup = make("v2", "deep");
    cgroup.create();
    expect(read(cgroup, "", "cgroup.controllers")).toBe(read(cgroup, "", "../../cgroup.controllers"));
  });

  test("a limit of a controller that is not enabled names it", () => {
    const cgroup = make("v2");
    cgroup.create();
    expect(() => cgroup.setResources({ unified: { "nosuch.max": "1" } }, { skipDevices: true })).toThrow(
      /controller "nosuch" not available/,
    );
  });

  test("the device program forbids what the rules do not allow", () => {
    const cgroup = make("v2");
    cgroup.create();
    // Another device in its place: that one is usual, this one is not any more.
    const full = { type: "c", path: "/dev/full", major: 1, minor: 3 } as const;
    cgroup.setResources({ devices: [{ allow: false, access: "rwm" }] }, { devices: [full] });
    expect(runInside(cgroup, "head -c1 /dev/zero")).toBe(0);
    expect(runInside(cgroup, "head -c1 /dev/full")).not.toBe(0);
  });

  test("a new device program takes the place of the old one", () => {
    const cgroup = make("v2");
    cgroup.create();
    for (let round = 0; round < 2; round++) cgroup.setResources({ devices: [{ allow: false, access: "rwm" }] });
    using directory = cgroup.directoryFd();
    expect(attachedDevicePrograms(directory?.number ?? -1)).toHaveLength(1);
    cgroup.setResources({ devices: [{ allow: true, access: "rwm" }] });
    expect(attachedDevicePrograms(directory?.number ?? -1)).toHaveLength(1);
  });

  test("a threaded cgroup is no place for limits that it cannot have, and its processes are found by their threads", ({
    skip,
  }) => {
    const cgroup = make("v2");
    const directory = cgroup.paths()[""] as string;
    // Not by create(): below one that has controllers for domains none is threaded.
    mkdirSync(directory, { recursive: true });
    try {
      writeFileSync(join(directory, "cgroup.type"), "threaded");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOTSUP") throw error;
      skip("this machine allows no threaded cgroup here");
    }
    expect(() => cgroup.create({ memory: { limit: 1 << 24 } })).toThrow(
      /cannot enter cgroupv2 ".*" with domain controllers -- it is in threaded mode/,
    );
    // It was there before, so it is left.
    expect(existsSync(directory)).toBe(true);
    expect(read(cgroup, "", "cgroup.type")).toBe("threaded");
    // cgroup.procs of a threaded cgroup cannot be read.
    expect(() => readFileSync(join(directory, "cgroup.procs"))).toThrow();
    using process = new Idler();
    cgroup.join(process.pid);
    expect(cgroup.pids({ recursive: true })).toContain(process.pid);
  });

  test("exec follows the container's first process out of a cgroup that is gone", () => {
    const cgroup = make("v2");
    const other = make("v2");
    other.create();
    using init = new Idler();
    other.join(init.pid);
    using process = new Idler();
    cgroup.join(process.pid, { sub: new Map(), initPid: init.pid });
    expect(other.pids({ recursive: false }).sort()).toEqual([init.pid, process.pid].sort());
  });
});

describe("the entrance of a forked process", () => {
  const bundle = "build/test-drivers/entrance.driver.js";
  const run = (input: object) => {
    // The engine's settings under which it starts no threads.
    const env = {
      PATH: process.env.PATH,
      BUN_JSC_useJIT: "0",
      BUN_JSC_useWarmUpMarkedBlocks: "0",
      BUN_JSC_numberOfGCMarkers: "1",
      BUN_JSC_useConcurrentGC: "0",
    };
    const { stdout, stderr } = spawnSync(process.execPath, [bundle, JSON.stringify(input)], { env, encoding: "utf8" });
    return `${stdout}${stderr}`;
  };

  beforeAll(() => {
    execFileSync(process.execPath, ["build", "test/cgroup/entrance.driver.ts", "--target=bun", `--outfile=${bundle}`]);
  });

  test.skipIf(skipV1 !== null)(title("leads into every hierarchy", skipV1), () => {
    const cgroup = make("all");
    cgroup.create();
    const lines = run({ location: cgroup.location, sub: [], initPid: null }).trim().split("\n");
    for (const path of Object.values(cgroup.paths())) {
      expect(lines.some((line) => path.endsWith(line.split(":")[2] as string) && line.includes("tsrunc-test"))).toBe(
        true,
      );
    }
  });

  test.skipIf(skipV2 !== null)(title("leads into a v2 cgroup, and one below it", skipV2), () => {
    const cgroup = make("v2");
    cgroup.create();
    mkdirSync(`${cgroup.paths()[""]}/sub`);
    expect(run({ location: cgroup.location, sub: ["sub"], initPid: null })).toMatch(/^0::.*tsrunc-test.*\/sub$/m);
  });

  test.skipIf(skipV2 !== null)(
    title("leads to the first process where the container's own cgroup is gone", skipV2),
    () => {
      const cgroup = make("v2");
      const other = make("v2");
      other.create();
      using init = new Idler();
      other.join(init.pid);
      const expected = readOwnCgroups(init.pid).get("");
      expect(run({ location: cgroup.location, sub: [], initPid: init.pid })).toContain(`0::${expected}\n`);
    },
  );

  test.skipIf(skipV2 !== null)(
    title("leads to the first process where that has divided the container's cgroup, which takes none then", skipV2),
    ({ skip }) => {
      const cgroup = make("v2");
      cgroup.create();
      const controller = read(cgroup, "", "cgroup.controllers").split(" ")[0];
      if (!controller) return skip("no controller of the v2 hierarchy can be enabled");
      const directory = cgroup.paths()[""] as string;
      using init = new Idler();
      mkdirSync(`${directory}/init`);
      writeFileSync(`${directory}/init/cgroup.procs`, String(init.pid));
      writeFileSync(`${directory}/cgroup.subtree_control`, `+${controller}`);
      const here = { location: cgroup.location, sub: [] };
      expect(run({ ...here, initPid: init.pid })).toMatch(/^0::.*\/init$/m);
      expect(run({ ...here, initPid: null })).toMatch(/error adding pid 0 .*EBUSY/);
      using process = new Idler();
      cgroup.join(process.pid, { sub: new Map(), initPid: init.pid });
      expect(readOwnCgroups(process.pid).get("")).toBe(readOwnCgroups(init.pid).get(""));
    },
  );
});

describe("without the right to make cgroups", () => {
  // Nobody, root included, can make directories here.
  const hierarchy = (version: 1 | 2): CgroupHierarchy => ({
    version,
    controllers: version === 1 ? ["devices"] : [],
    mountPoint: "/sys/kernel",
    directory: "/sys/kernel/tsrunc-test",
  });
  const location = (explicit: boolean, rootless = true): CgroupLocation => {
    return { driver: "cgroupfs", mode: "v1", hierarchies: [hierarchy(1)], explicit, rootless };
  };

  test("a rootless container goes without, and its location says so", () => {
    const cgroup = openCgroup(location(false));
    cgroup.create();
    expect(cgroup.paths()).toEqual({});
    expect(cgroup.location).toMatchObject({ hierarchies: [] });
    expect(cgroup.pids({ recursive: true })).toEqual([]);
    expect(cgroup.isFrozen()).toBe(false);
    expect(() => cgroup.freeze()).toThrow("cannot toggle freezer: cgroups not configured for container");
    cgroup.remove();
  });

  test("its devices stay as they are, and a limit is an error", () => {
    const cgroup = openCgroup(location(false));
    cgroup.create();
    cgroup.setResources({ devices: [{ allow: false, access: "rwm" }] });
    expect(() => cgroup.setResources({ pids: { limit: 1 } })).toThrow("cannot set pids limit");
  });

  test("a cgroup that config.json names must be made", () => {
    expect(() => openCgroup(location(true)).create()).toThrow(
      /^unable to apply cgroup configuration: mkdir .*(EPERM|EACCES)/,
    );
  });

  test("root's must be made in any case", () => {
    expect(() => openCgroup(location(false, false)).create()).toThrow("unable to apply cgroup configuration");
  });
});

test("a container without cgroups has no limits", () => {
  const cgroup = openCgroup({ driver: "disabled", hierarchies: [] });
  cgroup.create();
  cgroup.setResources({ devices: [{ allow: false, access: "rwm" }] });
  expect(() => cgroup.setResources({ pids: { limit: 5 } })).toThrow("cannot set limits without cgroups");
  expect(cgroup.killAll(9)).toBe(false);
  cgroup.remove();
});
