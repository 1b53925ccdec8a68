import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  ended,
  makeBundle,
  newId,
  pause,
  spawnTsrunc,
  state,
  succeed,
  tsrunc,
  until,
  useContainers,
} from "./harness.ts";

useContainers();

/** A sequence of numbers in [0, 1) that is the same each time: mulberry32. */
function sequence(seed: number): () => number {
  let at = seed;
  return () => {
    at = (at + 0x6d2b79f5) | 0;
    let mixed = Math.imul(at ^ (at >>> 15), 1 | at);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const random = sequence(20190211);

/** The processes that a process has started, theirs included. */
function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const fields = readFileSync(`/proc/${name}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
      parents.set(Number(name), Number(fields[1]));
    } catch {
      // It ended while we looked.
    }
  }
  const found = [pid];
  for (const ancestor of found) for (const [child, parent] of parents) if (parent === ancestor) found.push(child);
  return found.slice(1);
}

describe("kill -9 of the runtime", () => {
  // What must hold is the cleaning up after each test: no process, mount, cgroup or state after `delete --force`.
  test.each(Array.from({ length: 25 }, (_, n) => n))(
    "at a random moment of create leaves what delete --force clears (%i)",
    async () => {
      const id = newId();
      const child = spawnTsrunc(["create", "--bundle", makeBundle("sleep 1000").path, id]);
      await pause(random() * 40);
      child.kill("SIGKILL");
      await ended(child);
      tsrunc(["delete", "--force", id]);
    },
  );

  test.each(Array.from({ length: 10 }, (_, n) => n))(
    "at a random moment of a detached run leaves what delete --force clears (%i)",
    async () => {
      const id = newId();
      const child = spawnTsrunc(["run", "--detach", "--bundle", makeBundle("sleep 1000").path, id]);
      await pause(random() * 60);
      child.kill("SIGKILL");
      await ended(child);
      tsrunc(["delete", "--force", id]);
    },
  );

  test.each(Array.from({ length: 10 }, (_, n) => n))(
    "at a random moment of start leaves what delete --force clears (%i)",
    async () => {
      const id = newId();
      succeed(["create", "--bundle", makeBundle("sleep 1000").path, id]);
      const child = spawnTsrunc(["start", id]);
      await pause(random() * 15);
      child.kill("SIGKILL");
      await ended(child);
      tsrunc(["delete", "--force", id]);
    },
  );

  test.each(Array.from({ length: 10 }, (_, n) => n))(
    "at a random moment of delete leaves what delete --force clears (%i)",
    async () => {
      const id = newId();
      succeed(["create", "--bundle", makeBundle("sleep 1000").path, id]);
      const child = spawnTsrunc(["delete", "--force", id]);
      await pause(random() * 15);
      child.kill("SIGKILL");
      await ended(child);
      tsrunc(["delete", "--force", id]);
    },
  );
});

describe("kill -9 of the init", () => {
  test("while a hook holds create up makes create fail", async () => {
    const id = newId();
    const bundle = makeBundle("sleep 1000", (config) => {
      config.hooks.createContainer = [{ path: "/bin/sh", args: ["sh", "-c", "sleep 1000"] }];
    });
    const child = spawnTsrunc(["create", "--bundle", bundle.path, id]);
    const pid = child.pid ?? 0;
    await until("the hook runs", () => descendants(pid).some((process) => command(process).startsWith("sleep 1000")));
    for (const process of descendants(pid)) kill(process);
    expect(await ended(child)).not.toBe(0);
  });

  test("of a created container makes it stopped, and start fails", async () => {
    const id = newId();
    succeed(["create", "--bundle", makeBundle("sleep 1000").path, id]);
    process.kill(state(id).pid, "SIGKILL");
    await until("the container is stopped", () => state(id).status === "stopped");
    expect(tsrunc(["start", id]).code).toBe(1);
  });

  test("of a running container makes it stopped", async () => {
    const id = newId();
    succeed(["run", "--detach", "--bundle", makeBundle("sleep 1000").path, id]);
    process.kill(state(id).pid, "SIGKILL");
    await until("the container is stopped", () => state(id).status === "stopped");
  });
});

test.each(Array.from({ length: 10 }, (_, n) => n))("of two creates of one id exactly one wins (%i)", async () => {
  const id = newId();
  const bundles = [makeBundle("sleep 1000"), makeBundle("sleep 1000")];
  const racers: ChildProcess[] = bundles.map(({ path }) => spawnTsrunc(["create", "--bundle", path, id]));
  const codes = await Promise.all(racers.map(ended));
  expect(codes.filter((code) => code === 0)).toHaveLength(1);
  expect(codes.filter((code) => code === 1)).toHaveLength(1);
  expect(state(id)).toMatchObject({ status: "created", bundle: bundles[codes.indexOf(0)]?.path });
});

function command(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return "";
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}
