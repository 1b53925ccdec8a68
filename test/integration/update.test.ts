/** `update` and `events`. */

import { execFileSync, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Resources, Spec } from "../../src/config/types.ts";
import {
  commandLine,
  directory,
  isTsrunc,
  makeBundle,
  newId,
  pause,
  refused,
  state,
  succeed,
  until,
  useContainers,
} from "./harness.ts";
import { cgroupDirectory, cgroupFile, version } from "./machine/machine.ts";

useContainers();

const MIB = 1 << 20;
const memoryFile = version === 1 ? "memory.limit_in_bytes" : "memory.max";

function start(resources: Resources, script = "sleep 1000"): string {
  const id = newId();
  const bundle = makeBundle(script, ({ linux }) => Object.assign(linux.resources, resources));
  succeed(["run", "--detach", "--bundle", bundle.path, id]);
  return id;
}

function file(id: string, name: string): string {
  return cgroupFile(state(id).pid, name);
}

function savedResources(id: string): Resources | undefined {
  const path = join(directory(), "state", id, "config.json");
  return (JSON.parse(readFileSync(path, "utf8")) as Spec).linux?.resources;
}

describe("update", () => {
  test("changes the limits that are given, and leaves the others", () => {
    const id = start({ memory: { limit: 64 * MIB }, pids: { limit: 20 }, cpu: { quota: 50_000, period: 100_000 } });
    expect(succeed(["update", "--memory", "96M", "--cpu-quota", "30000", id])).toBe("");
    expect(file(id, memoryFile)).toBe(String(96 * MIB));
    expect(file(id, "pids.max")).toBe("20");
    if (version === 1) {
      expect([file(id, "cpu.cfs_quota_us"), file(id, "cpu.cfs_period_us")]).toEqual(["30000", "100000"]);
    } else expect(file(id, "cpu.max")).toBe("30000 100000");
    succeed(["update", "--pids-limit", "-1", "--cpu-share", "512", id]);
    expect(file(id, "pids.max")).toBe("max");
    expect(file(id, version === 1 ? "cpu.shares" : "cpu.weight")).toBe(version === 1 ? "512" : "59");
  });

  test.skipIf(!isTsrunc)(
    "a container without a class of service gets none later, nor what is asked for besides",
    () => {
      const id = start({ pids: { limit: 20 } });
      const update = ["update", "--pids-limit", "30", "--l3-cache-schema", "L3:0=f", id];
      expect(refused(update)).toContain("updating a non-existent Intel RDT configuration is not supported");
      expect(file(id, "pids.max")).toBe("20");
      expect(savedResources(id)?.pids).toEqual({ limit: 20 });
    },
  );

  test.skipIf(!isTsrunc)("what is kept of the container's configuration has the new limits", () => {
    const id = start({ memory: { limit: 64 * MIB }, pids: { limit: 20 } });
    succeed(["update", "--memory", "96M", id]);
    expect(savedResources(id)).toMatchObject({ memory: { limit: 96 * MIB }, pids: { limit: 20 } });
  });

  test("takes config.json's own form from the standard input, and from a file", () => {
    const id = start({});
    succeed(["update", "--resources", "-", id], { input: JSON.stringify({ pids: { limit: 33 } }) });
    expect(file(id, "pids.max")).toBe("33");
  });

  test("all or nothing: when a limit cannot be set, those before it get their former values", () => {
    const id = start({ memory: { limit: 64 * MIB }, pids: { limit: 20 } });
    const before = savedResources(id);
    // There is no such CPU; pids and memory are written before or after it, as the version has it.
    const input = JSON.stringify({
      memory: { limit: 96 * MIB },
      pids: { limit: 30 },
      cpu: { shares: 512, cpus: "4000" },
    });
    const message = refused(["update", "-r", "-", id], { input });
    expect(message).toMatch(/cpuset\.cpus/);
    expect([file(id, memoryFile), file(id, "pids.max")]).toEqual([String(64 * MIB), "20"]);
    expect(file(id, version === 1 ? "cpu.shares" : "cpu.weight")).toBe(version === 1 ? "1024" : "100");
    expect(savedResources(id)).toEqual(before);
  });

  test.skipIf(!isTsrunc)("refuses what it does not understand, and a container that does not run", () => {
    const id = start({}, "true");
    expect(refused(["update", "-r", "-", id], { input: '{"pids":{"limit":"many"}}' })).toMatch(/\/pids\/limit/);
    expect(refused(["update", id])).toMatch(/nothing to change/);
    expect(refused(["update", "--memory", "much", id])).toMatch(/--memory/);
    expect(refused(["update", "--memory", "1M", "-r", "-", id])).toMatch(/exclude each other/);
    expect(refused(["update", "--pids-limit", "5", id])).toMatch(/container not running/);
    expect(refused(["update", "--pids-limit", "5", "nobody"])).toMatch(/does not exist/);
  });
});

describe("events", () => {
  test("--stats says once what the container uses and may use", () => {
    const id = start({ memory: { limit: 64 * MIB }, pids: { limit: 20 } });
    const event = JSON.parse(succeed(["events", "--stats", id]));
    expect(event).toMatchObject({
      type: "stats",
      id,
      data: { memory: { usage: { limit: 64 * MIB } }, pids: { limit: 20 } },
    });
    expect(event.data.memory.usage.usage).toBeGreaterThan(0);
    expect(event.data.pids.current).toBeGreaterThanOrEqual(1);
    expect(event.data.cpu.usage.total).toBeGreaterThan(0);
  });

  test("tells of each time that the kernel kills for want of memory, reports now and then, and ends with the container", async () => {
    const id = start({ memory: { limit: 24 * MIB, swap: 24 * MIB } }, "sleep 4; tail /dev/zero & wait; sleep 1");
    const [program = "", ...args] = commandLine(["events", "--interval", "500ms", id]);
    const events = spawn(program, args, { stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    events.stdout.on("data", (chunk) => {
      text += String(chunk);
    });
    const ended = new Promise<number | null>((done) => events.once("exit", done));
    await until("an oom event", () => /"type":"oom"/.test(text));
    expect(await ended).toBe(0);
    await pause(50);
    const lines = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string; id: string });
    expect(lines.filter(({ type }) => type === "stats").length).toBeGreaterThan(1);
    expect(lines.filter(({ type }) => type === "oom")).toEqual([{ type: "oom", id }]);
  });

  test.skipIf(!isTsrunc)("refuses a container that does not run", () => {
    const id = start({}, "true");
    expect(refused(["events", "--stats", id])).toMatch(/is not running/);
  });
});

describe("a container that waits for start", () => {
  test.skipIf(!isTsrunc)("is said to have been killed for want of memory, where it was", async () => {
    const id = newId();
    const bundle = makeBundle("true", (config) => {
      config.process.oomScoreAdj = 1000;
      Object.assign(config.linux.resources, { memory: { limit: 24 * MIB, swap: 24 * MIB } });
    });
    succeed(["create", "--bundle", bundle.path, id]);
    const { pid } = state(id);
    // The kernel prefers the init to what takes the memory.
    const hog = `echo $$ > '${join(cgroupDirectory(pid, "memory"), "cgroup.procs")}' && exec tail /dev/zero`;
    expect(() => execFileSync("sh", ["-c", hog])).toThrow();
    await until("the init is gone", () => state(id).status === "stopped");
    expect(refused(["start", id])).toContain(
      "container init was OOM-killed (memory limit too low?): cannot start a container that has stopped",
    );
  });
});
