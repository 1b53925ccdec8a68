/** Limits as the kernel has them, and as a container feels them: by each cgroup driver that the machine has, in its version. */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Resources } from "../../../src/config/types.ts";
import { directory, state, succeed, tsrunc, until, useContainers } from "../harness.ts";
import { cgroupDirectory, cgroupFile, drivers, hasFile, runLimited, version, whyNoCpuset } from "./machine.ts";

useContainers();

const MIB = 1 << 20;

/** A value by the file that has it. */
type Files = Record<string, string>;

const written: [what: string, resources: Resources, v1: Files | null, v2: Files | null][] = [
  [
    "memory, with swap",
    { memory: { limit: 64 * MIB, swap: 96 * MIB, reservation: 32 * MIB } },
    {
      "memory.limit_in_bytes": String(64 * MIB),
      "memory.memsw.limit_in_bytes": String(96 * MIB),
      "memory.soft_limit_in_bytes": String(32 * MIB),
    },
    { "memory.max": String(64 * MIB), "memory.swap.max": String(32 * MIB), "memory.low": String(32 * MIB) },
  ],
  ["swap that is forbidden", { memory: { limit: 64 * MIB, swap: 64 * MIB } }, {}, { "memory.swap.max": "0" }],
  [
    "CPU shares, quota and period",
    { cpu: { shares: 2048, quota: 50_000, period: 200_000 } },
    { "cpu.shares": "2048", "cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "200000" },
    { "cpu.weight": "174", "cpu.max": "50000 200000" },
  ],
  [
    "CPUs and memory nodes",
    { cpu: { cpus: "0", mems: "0" } },
    { "cpuset.cpus": "0", "cpuset.mems": "0" },
    { "cpuset.cpus": "0", "cpuset.mems": "0" },
  ],
  ["processes", { pids: { limit: 17 } }, { "pids.max": "17" }, { "pids.max": "17" }],
  ["processes without a limit", { pids: { limit: -1 } }, { "pids.max": "max" }, { "pids.max": "max" }],
  [
    "CPU time saved up",
    { cpu: { quota: 50_000, period: 100_000, burst: 20_000 } },
    { "cpu.cfs_burst_us": "20000" },
    { "cpu.max.burst": "20000" },
  ],
  ["idle CPU time alone", { cpu: { idle: 1 } }, { "cpu.idle": "1" }, { "cpu.idle": "1" }],
  ["idle CPU time and a share", { cpu: { idle: 1, shares: 512 } }, { "cpu.idle": "1" }, { "cpu.idle": "1" }],
  ["swappiness", { memory: { limit: 64 * MIB, swappiness: 10 } }, { "memory.swappiness": "10" }, null],
  ["files by name", { unified: { "memory.high": "33554432" } }, null, { "memory.high": "33554432" }],
  [
    "huge pages",
    { hugepageLimits: [{ pageSize: "2MB", limit: 4 * MIB }] },
    { "hugetlb.2MB.limit_in_bytes": String(4 * MIB) },
    { "hugetlb.2MB.max": String(4 * MIB) },
  ],
  [
    "the weight of I/O, by BFQ",
    { blockIO: { weight: 300 } },
    { "blkio.bfq.weight": "300" },
    { "io.bfq.weight": "default 300" },
  ],
  ["the class of network packets", { network: { classID: 1_048_577 } }, { "net_cls.classid": "1048577" }, null],
];

describe.each(drivers)("by the driver %s (%s)", (driver, whyNot) => {
  const here = test.skipIf(whyNot !== null);

  function start(script: string, resources: Resources): string {
    const { id, code, stderr } = runLimited(driver, script, resources, { flags: ["--detach"] });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return id;
  }

  here.for(written)("%s: the kernel's files say what config.json says", ([, resources, v1, v2], { skip }) => {
    const files = version === 1 ? v1 : v2;
    if (files === null) return skip(`cgroup v${version} has no such limit`);
    // A kernel may be without accounting of swap, whose limit is passed over then.
    const expected = Object.entries(files).filter(([file]) => !/swap\.max|memsw/.test(file) || hasFile(file));
    const missing = expected.find(([file]) => !hasFile(file));
    if (missing !== undefined) return skip(`needs ${missing[0]}`);
    const { pid } = state(start("sleep 100", resources));
    expect(expected.map(([file]) => [file, cgroupFile(pid, file)])).toEqual(expected);
  });

  here(
    "a share of CPU time counts again when the container is no longer idle, and can be changed meanwhile",
    ({ skip }) => {
      if (!hasFile("cpu.idle")) return skip("needs cpu.idle");
      if (version === 2 && whyNoCpuset !== null) return skip(whyNoCpuset);
      const { id, pid } = state(start("sleep 100", { cpu: { idle: 1, shares: 512 } }));
      const share = () => Number(cgroupFile(pid, version === 1 ? "cpu.shares" : "cpu.weight"));
      succeed(["update", "--cpu-idle", "0", id]);
      expect([cgroupFile(pid, "cpu.idle"), share()]).toEqual(["0", version === 1 ? 512 : 59]);
      succeed(["update", "--cpu-idle", "1", id]);
      // A share that is asked for is to count.
      succeed(["update", "--cpu-share", "1024", id]);
      expect([cgroupFile(pid, "cpu.idle"), share()]).toEqual(["0", version === 1 ? 1024 : 100]);
      succeed(["update", "--cpu-idle", "1", id]);
      // All or nothing: what is set besides cannot be, and the two are what they were. systemd takes so small a quota, rounded up.
      const isRefused = version === 1 && driver === "cgroupfs";
      const wrong = isRefused ? ["--cpu-quota", "10"] : ["--cpuset-cpus", "4000"];
      const refused = tsrunc(["update", "--cpu-idle", "0", ...wrong, id]);
      expect([refused.code, refused.stderr]).toEqual([1, expect.not.stringContaining("could not restore")]);
      expect(cgroupFile(pid, "cpu.idle")).toBe("1");
      succeed(["update", "--cpu-idle", "0", id]);
      expect(share()).toBe(version === 1 ? 1024 : 100);
    },
  );

  here("who takes more memory than the limit is killed, and the kernel counts it", async () => {
    // tail keeps what it reads: there are no lines in it.
    const id = start("sleep 1; sh -c 'head -c 100m /dev/zero | tail' & wait; sleep 100", {
      memory: { limit: 24 * MIB, swap: 24 * MIB },
    });
    // Found while the container's process is there for sure: whom the kernel kills is its choice.
    const cgroup = cgroupDirectory(state(id).pid, "memory");
    const file = join(cgroup, version === 1 ? "memory.oom_control" : "memory.events");
    await until("an OOM kill", () => /^oom_kill [1-9]/m.test(readFileSync(file, "utf8")));
    const { code } = runLimited(driver, "exec tail /dev/zero", { memory: { limit: 24 * MIB, swap: 24 * MIB } });
    expect(code).toBe(137);
  });

  here("a container whose init cannot live with its memory says so", () => {
    const { code, stderr } = runLimited(driver, "true", { memory: { limit: 64 << 10, swap: 64 << 10 } });
    expect(code).toBe(1);
    expect(stderr).toMatch(/memory limit/);
  });

  here("no process more than the limit: EAGAIN", () => {
    const { stderr } = runLimited(driver, "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait", { pids: { limit: 4 } });
    expect(stderr).toMatch(/can't fork: Resource temporarily unavailable/);
  });

  here("a quota of a fifth of a CPU is no more than that", () => {
    const script = "cat /proc/uptime; (timeout 3 sh -c 'while :; do :; done'); cat /proc/uptime; times";
    const { stdout } = runLimited(driver, script, { cpu: { quota: 20_000, period: 100_000 } });
    const lines = stdout.trim().split("\n");
    // On a busy machine the three seconds take longer.
    const [before = 0, after = 0] = lines.map((line) => Number.parseFloat(line));
    // The last line of `times`: user and system time of the children.
    const [user = 0, system = 0] = (lines.at(-1) ?? "").split(" ").map(seconds);
    expect(user + system).toBeGreaterThan(0.1);
    expect((user + system) / (after - before)).toBeLessThan(0.3);
  });

  here("shares divide a CPU that two want", async ({ skip }) => {
    if (whyNoCpuset !== null) skip(whyNoCpuset);
    const spin = "while :; do :; done";
    const [more, less] = [1024, 128].map((shares) => state(start(spin, { cpu: { shares, cpus: "0", mems: "0" } })).pid);
    const used = () => [more, less].map((pid) => cpuTime(pid as number));
    const [moreBefore = 0, lessBefore = 0] = used();
    await new Promise((done) => setTimeout(done, 3000));
    const [moreAfter = 0, lessAfter = 0] = used();
    expect((moreAfter - moreBefore) / Math.max(lessAfter - lessBefore, 1)).toBeGreaterThan(2.5);
  });

  here("a device, or an access to it, that no rule allows: EPERM", ({ skip }) => {
    if (!existsSync("/dev/loop-control")) skip("needs loop devices");
    // It can be opened by whoever the mode of the file lets; where the rootfs is, devices may be forbidden (Debian 13's /tmp).
    const rules = [{ allow: true, type: "c", major: 10, minor: 237, access: "r" }];
    const script =
      "mknod /dev/control c 10 237; (: </dev/control) && echo readable; (: >/dev/control) || (: <>/dev/control)";
    const allowed = runLimited(driver, script, { devices: [{ allow: false, access: "rwm" }, ...rules] });
    expect(allowed.stdout).toBe("readable\n");
    expect(allowed.stderr).toMatch(
      /^sh: can't create \/dev\/control: Operation not permitted\n.*Operation not permitted\n$/,
    );
    const denied = runLimited(driver, script, { devices: [{ allow: false, access: "rwm" }] });
    expect(denied.stdout).toBe("");
    expect(denied.stderr).toMatch(/can't open \/dev\/control: Operation not permitted/);
  });

  here("CPUs that are not given are not there for the process", ({ skip }) => {
    if (whyNoCpuset !== null) skip(whyNoCpuset);
    expect(runLimited(driver, "nproc; grep Cpus_allowed_list /proc/self/status", { cpu: { cpus: "0" } }).stdout).toBe(
      "1\nCpus_allowed_list:\t0\n",
    );
  });

  // 3 MiB in 48 pieces, at 1 MiB or 16 pieces a second.
  here.for([
    ["throttleWriteBpsDevice", MIB, "if=/dev/zero of=/dev/disk oflag=direct"],
    ["throttleReadBpsDevice", MIB, "if=/dev/disk of=/dev/null iflag=direct"],
    ["throttleWriteIOPSDevice", 16, "if=/dev/zero of=/dev/disk oflag=direct"],
    ["throttleReadIOPSDevice", 16, "if=/dev/disk of=/dev/null iflag=direct"],
  ] as const)("a disk is as slow as its %s", ([throttle, rate, ends], { skip, onTestFinished }) => {
    const image = join(directory(), "disk");
    writeFileSync(image, "");
    truncateSync(image, 8 * MIB);
    let loop: string;
    try {
      loop = execFileSync("losetup", ["--find", "--show", image], { encoding: "utf8" }).trim();
    } catch {
      return skip("needs loop devices");
    }
    onTestFinished(() => {
      execFileSync("losetup", ["--detach", loop]);
    });
    const numbers = execFileSync("stat", ["--format=%Hr %Lr", loop], { encoding: "utf8" }).trim().split(" ");
    const [major = 0, minor = 0] = numbers.map(Number);
    const resources = {
      devices: [{ allow: true, type: "b", major, minor, access: "rw" }],
      blockIO: { [throttle]: [{ major, minor, rate }] },
    };
    const edit = ({ linux }: { linux: { devices?: object[] } }) => {
      linux.devices = [{ path: "/dev/disk", type: "b", major, minor, fileMode: 0o600, uid: 0, gid: 0 }];
    };
    const script = `cat /proc/uptime; dd bs=64k count=48 ${ends}; cat /proc/uptime`;
    const { stdout, stderr } = runLimited(driver, script, resources, { edit });
    expect(stderr).toMatch(/48\+0 records out/);
    // By the container's own clock: how long its start takes varies by more on a busy machine.
    const [before = 0, after = 0] = stdout.split("\n").map((line) => Number.parseFloat(line));
    expect(after - before).toBeGreaterThan(1.5);
  });
});

/** `0m1.500000s` */
function seconds(text: string): number {
  const [minutes = 0, rest = 0] = text.replace("s", "").split("m").map(Number);
  return 60 * minutes + rest;
}

/** Microseconds that a process's cgroup has had of the CPUs. */
function cpuTime(pid: number): number {
  if (version === 1) return Number(cgroupFile(pid, "cpuacct.usage")) / 1000;
  return Number(/^usage_usec (\d+)/m.exec(cgroupFile(pid, "cpu.stat"))?.[1]);
}
