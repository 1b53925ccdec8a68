import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { driverOf } from "../../src/cgroup/driver.ts";
import type { CgroupHierarchy } from "../../src/cgroup/plan.ts";
import { readStats } from "../../src/cgroup/stats.ts";
import { setReversibly } from "../../src/cgroup/update.ts";

// An ordinary directory stands in for a cpuset hierarchy that is mounted with `noprefix`, which the kernel has for cpusets alone.
let mountPoint: string;
beforeEach(() => {
  mountPoint = mkdtempSync(join(tmpdir(), "cpuset-"));
  for (const directory of ["", "box"]) {
    mkdirSync(join(mountPoint, directory), { recursive: true });
    writeFileSync(join(mountPoint, directory, "cpus"), directory === "" ? "0-3\n" : "\n");
    writeFileSync(join(mountPoint, directory, "mems"), directory === "" ? "0\n" : "\n");
    writeFileSync(join(mountPoint, directory, "memory_migrate"), "1\n");
  }
});
afterEach(() => rmSync(mountPoint, { recursive: true }));

const read = (file: string) => readFileSync(join(mountPoint, "box", file), "utf8").trim();

function driver() {
  const hierarchy: CgroupHierarchy = {
    version: 1,
    controllers: ["cpuset"],
    mountPoint,
    directory: join(mountPoint, "box"),
  };
  const made = driverOf({ driver: "cgroupfs", mode: "v1", explicit: true, rootless: false, hierarchies: [hierarchy] });
  return { driver: made, hierarchy };
}

test("a new cpuset has what its parent has, or what is asked for", () => {
  const { driver: made, hierarchy } = driver();
  made.make(hierarchy, {}, []);
  expect([read("cpus"), read("mems")]).toEqual(["0-3", "0"]);
  // As long as what it is written over: unlike the kernel's, this file keeps the rest.
  made.make(hierarchy, { cpu: { cpus: "1-2" } }, []);
  expect([read("cpus"), read("mems")]).toEqual(["1-2", "0"]);
});

test("an update sets it, and takes it back", () => {
  const { driver: made, hierarchy } = driver();
  made.make(hierarchy, { cpu: { cpus: "1" } }, []);
  const undo = setReversibly({ cpu: { cpus: "2-3" } }, made);
  expect(read("cpus")).toBe("2-3");
  expect(undo()).toEqual([]);
  // See above.
  expect(read("cpus").slice(0, 1)).toBe("1");
});

test("its numbers are told", () => {
  const { driver: made, hierarchy } = driver();
  made.make(hierarchy, { cpu: { cpus: "1,3" } }, []);
  expect(readStats(made).cpuset).toMatchObject({ cpus: [1, 3], mems: [0], memory_migrate: 1 });
});
