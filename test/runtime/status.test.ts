import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { claimDirectory } from "../../src/runtime/container-lock.ts";
import { containerStatus, isAlive, stateDocument } from "../../src/runtime/status.ts";
import { type Container, START_FIFO } from "../../src/runtime/store.ts";
import type { Fd } from "../../src/sys/fd.ts";
import { processStat } from "../../src/sys/process.ts";

let root: string;
let lock: Fd;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tsrunc-status-"));
  lock = claimDirectory(root, "c1");
});

afterEach(() => {
  lock.close();
  rmSync(root, { recursive: true, force: true });
});

const me = { pid: process.pid, startTime: processStat(process.pid)?.startTime ?? 0 };
const somebodyElse = { pid: process.pid, startTime: me.startTime + 1 };

function container(init: Container["init"], complete: boolean): Container {
  return {
    id: "c1",
    ociVersion: "1.3.0",
    bundle: "/b",
    rootfs: "/b/rootfs",
    created: "2026-01-01T00:00:00.000Z",
    owner: 0,
    annotations: { a: "b" },
    init,
    complete,
    cgroup: { driver: "disabled", hierarchies: [] },
  };
}

describe("isAlive", () => {
  it("knows a process by pid and start time", () => {
    expect(isAlive(me)).toBe(true);
    expect(isAlive(somebodyElse)).toBe(false);
    expect(isAlive(null)).toBe(false);
  });
});

describe("containerStatus", () => {
  it("is creating while its creator works on it", () => {
    expect(containerStatus(root, container(null, false))).toBe("creating");
    expect(containerStatus(root, container(me, false))).toBe("creating");
  });

  it("is stopped when its creator is gone before there was an init", () => {
    lock.close();
    expect(containerStatus(root, container(null, false))).toBe("stopped");
  });

  it("is created while start is waited for, then running", () => {
    writeFileSync(join(root, "c1", START_FIFO), "");
    expect(containerStatus(root, container(me, true))).toBe("created");
    rmSync(join(root, "c1", START_FIFO));
    expect(containerStatus(root, container(me, true))).toBe("running");
  });

  it("is stopped when the init is gone, even if another process has its pid", () => {
    expect(containerStatus(root, container(somebodyElse, true))).toBe("stopped");
    expect(containerStatus(root, container(somebodyElse, false))).toBe("stopped");
  });
});

describe("stateDocument", () => {
  it("has the init's pid but for a stopped container", () => {
    const state = { ociVersion: "1.3.0", id: "c1", bundle: "/b", annotations: { a: "b" } };
    expect(stateDocument(container(me, true), "running")).toEqual({ ...state, status: "running", pid: me.pid });
    expect(stateDocument(container(me, true), "stopped")).toEqual({ ...state, status: "stopped", pid: 0 });
  });
});
