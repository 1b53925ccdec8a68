/** The systemd driver: the unit through the container's life, and what systemd says of it. */

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Resources } from "../../../src/config/types.ts";
import { type Edit, refused, state, succeed, tsrunc, until, useContainers } from "../harness.ts";
import { cgroupDirectory, cgroupFile, runLimited, version, whyNoCpuset, whyNoSystemd } from "./machine.ts";

useContainers();

const MIB = 1 << 20;

/** `cpu.weight` of an idle cgroup: 0 on Linux 6.1, and 1, the least that can be written, on 6.12. */
const NO_WEIGHT = expect.stringMatching(/^[01]$/);

/** A property of a unit; `""` where there is no such unit. */
function property(unit: string, name: string): string {
  return execFileSync("systemctl", ["show", "--value", "--property", name, unit], { encoding: "utf8" }).trim();
}

function start(script: string, resources: Resources, options: { edit?: Edit } = {}): string {
  const { id, code, stderr } = runLimited("systemd", script, resources, { ...options, flags: ["--detach"] });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return id;
}

describe.skipIf(whyNoSystemd !== null)(`a container of systemd's (${whyNoSystemd ?? ""})`, () => {
  test("is a delegated scope, whose end is the container's, and which delete clears", async () => {
    const id = start("sleep 1000", {});
    const unit = `tsrunc-${id}.scope`;
    expect([property(unit, "ActiveState"), property(unit, "Slice"), property(unit, "Delegate")]).toEqual([
      "active",
      "system.slice",
      "yes",
    ]);
    expect(property(unit, "ControlGroup")).toBe(`/system.slice/${unit}`);
    expect(property(unit, "NeedDaemonReload")).toBe("no");
    // Nothing else is left in it of what it was started with.
    const { pid } = state(id);
    const procs = join(cgroupDirectory(pid, version === 1 ? "name=systemd" : ""), "cgroup.procs");
    expect(readFileSync(procs, "utf8")).toBe(`${pid}\n`);
    succeed(["exec", id, "true"]);
    succeed(["kill", id, "KILL"]);
    await until("stopped", () => state(id).status === "stopped");
    succeed(["delete", id]);
    expect(property(unit, "LoadState")).toBe("not-found");
  });

  test.skipIf(version === 1)(
    "is idle until a share is asked for, which counts then, also after a daemon-reload",
    () => {
      const id = start("sleep 1000", { unified: { "cpu.idle": "1", "cpu.weight": "7" } });
      const { pid } = state(id);
      const reload = () => execFileSync("systemctl", ["daemon-reload"]);
      const idle = () => [cgroupFile(pid, "cpu.idle"), cgroupFile(pid, "cpu.weight")];
      reload();
      expect(idle()).toEqual(["1", NO_WEIGHT]);
      succeed(["update", "--cpu-share", "1024", id]);
      reload();
      expect(idle()).toEqual(["0", "100"]);
      const { code, stderr } = tsrunc(["update", "--cpu-share", "512", "--cpu-idle", "1", id]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("unable to apply both") });
      reload();
      expect(idle()).toEqual(["1", NO_WEIGHT]);
      expect(property(`tsrunc-${id}.scope`, "NeedDaemonReload")).toBe("no");
    },
  );

  test("has its limits as properties, which update changes, and a daemon-reload does not", () => {
    const id = start("sleep 1000", {
      memory: { limit: 64 * MIB },
      pids: { limit: 20 },
      cpu: { quota: 12_345, period: 50_000 },
    });
    const unit = `tsrunc-${id}.scope`;
    const memory = version === 1 ? ["MemoryLimit", "memory.limit_in_bytes"] : ["MemoryMax", "memory.max"];
    const both = () => [property(unit, memory[0] as string), cgroupFile(state(id).pid, memory[1] as string)];
    expect(both()).toEqual([String(64 * MIB), String(64 * MIB)]);
    expect(property(unit, "TasksMax")).toBe("20");
    expect(property(unit, "CPUQuotaPerSecUSec")).toBe("250ms");
    succeed(["update", "--memory", "96M", "--pids-limit", "30", id]);
    expect(both()).toEqual([String(96 * MIB), String(96 * MIB)]);
    execFileSync("systemctl", ["daemon-reload"]);
    expect(both()).toEqual([String(96 * MIB), String(96 * MIB)]);
    expect([property(unit, "TasksMax"), cgroupFile(state(id).pid, "pids.max")]).toEqual(["30", "30"]);
    const quota = version === 1 ? cgroupFile(state(id).pid, "cpu.cfs_quota_us") : cgroupFile(state(id).pid, "cpu.max");
    expect(quota).toBe(version === 1 ? "12500" : "12500 50000");
  });

  test("an update that fails leaves properties and files as they were", () => {
    const id = start("sleep 1000", { memory: { limit: 64 * MIB } });
    const input = JSON.stringify({ memory: { limit: 96 * MIB }, cpu: { cpus: "4000" } });
    refused(["update", "-r", "-", id], { input });
    expect(property(`tsrunc-${id}.scope`, version === 1 ? "MemoryLimit" : "MemoryMax")).toBe(String(64 * MIB));
    expect(cgroupFile(state(id).pid, version === 1 ? "memory.limit_in_bytes" : "memory.max")).toBe(String(64 * MIB));
  });

  test("an update that fails at last takes back also what was not limited before", ({ skip }) => {
    if (whyNoCpuset !== null) skip(whyNoCpuset);
    const id = start("sleep 1000", { memory: { limit: 64 * MIB } });
    const unit = `tsrunc-${id}.scope`;
    const names = ["MemoryLimit", "MemoryMax", "MemoryLow", "TasksMax", "CPUWeight", "CPUShares", "CPUQuotaPerSecUSec"];
    const files = version === 1 ? ["memory.limit_in_bytes", "pids.max", "cpu.shares", "cpu.cfs_quota_us"] : [];
    files.push(
      ...(version === 2
        ? ["memory.max", "memory.low", "pids.max", "cpu.weight", "cpu.max", "cpuset.cpus.effective"]
        : []),
    );
    const all = () => [
      ...[...names, "AllowedCPUs", "IOReadBandwidthMax"].map((name) => `${name}=${property(unit, name)}`),
      ...files.map((file) => `${file}=${cgroupFile(state(id).pid, file)}`),
    ];
    const before = all();
    const input = JSON.stringify({
      memory: { limit: 96 * MIB, reservation: 32 * MIB },
      pids: { limit: 33 },
      cpu: { shares: 512, quota: 20_000, period: 50_000, cpus: "0" },
    });
    // It comes after the cgroup's limits, and this machine has nothing of the kind.
    const stderr = refused(["update", "-r", "-", "--l3-cache-schema", "L3:0=f", id], { input });
    expect(stderr).toMatch(/resctrl|RDT|rdt/i);
    expect(stderr).not.toMatch(/could not restore/);
    expect(all()).toEqual(before);
    succeed(["update", "-r", "-", id], { input });
    expect(all()).not.toEqual(before);
  });

  test("a process that somebody else has put there is not killed by delete, which refuses, but by delete --force", async () => {
    const id = start("sleep 1000", {});
    const unit = `tsrunc-${id}.scope`;
    const procs = join(cgroupDirectory(state(id).pid, version === 1 ? "name=systemd" : ""), "cgroup.procs");
    // StopUnit would send it SIGTERM, and wait for as long as systemd waits.
    const other = spawn("sh", ["-c", "trap '' TERM; while :; do sleep 1; done"], { stdio: "ignore" });
    try {
      writeFileSync(procs, String(other.pid));
      succeed(["kill", id, "KILL"]);
      await until("stopped", () => state(id).status === "stopped");
      expect(refused(["delete", id])).toMatch(/Failed to remove paths.*EBUSY/);
      expect(property(unit, "ActiveState")).toBe("active");
      expect(other.exitCode ?? other.signalCode).toBeNull();
      succeed(["delete", "--force", id]);
      expect(property(unit, "LoadState")).toBe("not-found");
      await until("its end", () => other.signalCode === "SIGKILL");
    } finally {
      other.kill("SIGKILL");
    }
  });

  test("annotations are properties, and a wrong one is refused with nothing left", () => {
    const edit = (text: string) => ({
      edit: (config: { annotations: Record<string, string> }) => {
        config.annotations["org.systemd.property.TimeoutStopSec"] = text;
      },
    });
    const id = start("sleep 1000", {}, edit("uint64 7"));
    expect(property(`tsrunc-${id}.scope`, "TimeoutStopUSec")).toBe("7s");
    const { code, stderr } = runLimited("systemd", "true", {}, edit("uint64 -7"));
    expect(code).toBe(1);
    expect(stderr).toMatch(/org\.systemd\.property\.TimeoutStopSec/);
  });

  test("a slice with dashes is where systemd has it", () => {
    const id = start(
      "sleep 1000",
      {},
      {
        edit: ({ linux }) => {
          linux.cgroupsPath = `tsrunctest-a.slice:x:${process.pid}`;
        },
      },
    );
    const unit = `x-${process.pid}.scope`;
    expect(property(unit, "ControlGroup")).toBe(`/tsrunctest.slice/tsrunctest-a.slice/${unit}`);
    succeed(["delete", "--force", id]);
    spawnSync("systemctl", ["stop", "tsrunctest.slice"]);
    expect(property(unit, "LoadState")).toBe("not-found");
  });

  test("a unit of that name that runs is another's: refused, and left alone", () => {
    const unit = `tsrunc-taken-${process.pid}.scope`;
    spawnSync("systemd-run", [
      "--unit",
      unit.replace(".scope", ""),
      "--scope",
      "--quiet",
      "sh",
      "-c",
      "sleep 60 >/dev/null 2>&1 &",
    ]);
    try {
      const { code, stderr } = runLimited(
        "systemd",
        "true",
        {},
        {
          edit: ({ linux }) => {
            linux.cgroupsPath = `:tsrunc:taken-${process.pid}`;
          },
        },
      );
      expect(code).toBe(1);
      expect(stderr).toMatch(/not empty|unable to start unit|already/);
      expect(property(unit, "ActiveState")).toBe("active");
    } finally {
      spawnSync("systemctl", ["stop", unit]);
    }
  });

  test("one that was killed for want of memory can be made again under its name", () => {
    for (let time = 0; time < 2; time++) {
      const { code } = runLimited(
        "systemd",
        "exec tail /dev/zero",
        { memory: { limit: 24 * MIB, swap: 24 * MIB } },
        {
          edit: ({ linux }) => {
            linux.cgroupsPath = `:tsrunc:again-${process.pid}`;
          },
        },
      );
      expect(code).toBe(137);
    }
  });

  test("features tell of it", () => {
    expect(JSON.parse(succeed(["features"])).linux.cgroup).toMatchObject({ systemd: true, systemdUser: true });
  });
});

test.skipIf(whyNoSystemd === null)("it is refused in runc's words (needs a machine without systemd)", () => {
  const { code, stderr } = runLimited("systemd", "true", {});
  expect(code).toBe(1);
  expect(stderr).toMatch(/systemd not running on this host, cannot use systemd cgroups manager/);
});
