import type { ChildProcess } from "node:child_process";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { TestSpec } from "../support/config.ts";
import {
  commandLine,
  directory,
  ended,
  hasProgram,
  isTsrunc,
  makeBundle,
  newId,
  patience,
  pause,
  refused,
  spawnTsrunc,
  startDetached,
  state,
  stateRoot,
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

/**
 * Waits until a container has been begun: from then on there is something to clear, and it is not the test that came too early.
 * Looks all the time, since a create is done in 15 ms.
 */
async function begun(id: string): Promise<void> {
  const place = join(stateRoot(), id);
  const latest = Date.now() + 1000 * patience;
  while (!existsSync(place)) {
    if (Date.now() > latest) throw new Error(`nothing was made in ${place}`);
    await new Promise(setImmediate);
  }
}

/** Clears what a killed command left. One that was clearing itself may have left a directory without a state: that is told. */
function clear(id: string): void {
  const { code, stderr } = tsrunc(["delete", "--force", id]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^$|state\.json: is missing/) });
  expect(refused(["state", id])).toMatch(/not exist/);
}

describe("kill -9 of the runtime", () => {
  // What must hold is the cleaning up after each test: no process, mount, cgroup or state after `delete --force`.
  test.each(Array.from({ length: 25 }, (_, n) => n))(
    "at a random moment of create leaves what delete --force clears (%i)",
    async () => {
      const id = newId();
      const child = spawnTsrunc(["create", "--bundle", makeBundle("sleep 1000").path, id]);
      await begun(id);
      await pause(random() * 40);
      child.kill("SIGKILL");
      await ended(child);
      clear(id);
    },
  );

  test.runIf(isTsrunc)("before the configuration is kept leaves what delete --force clears", () => {
    const id = newId();
    const root = join(directory(), "early");
    succeed(["create", "--bundle", makeBundle("sleep 1000").path, id], { root });
    rmSync(join(root, id, "config.json"));
    succeed(["delete", "--force", id], { root });
    expect(readdirSync(root)).toEqual([]);
  });

  test.each(Array.from({ length: 10 }, (_, n) => n))(
    "at a random moment of a detached run leaves what delete --force clears (%i)",
    async () => {
      const id = newId();
      const child = spawnTsrunc(["run", "--detach", "--bundle", makeBundle("sleep 1000").path, id]);
      await begun(id);
      await pause(random() * 60);
      child.kill("SIGKILL");
      await ended(child);
      clear(id);
    },
  );

  test.each(Array.from({ length: 10 }, (_, n) => n))(
    "at a random moment of start leaves what delete --force clears (%i)",
    async () => {
      const id = newId();
      succeed(["create", "--bundle", makeBundle("sleep 1000").path, id]);
      expect(state(id).status).toBe("created");
      const child = spawnTsrunc(["start", id]);
      await pause(random() * 15);
      child.kill("SIGKILL");
      await ended(child);
      clear(id);
    },
  );

  test.each(Array.from({ length: 10 }, (_, n) => n))(
    "at a random moment of delete leaves what delete --force clears (%i)",
    async () => {
      const id = newId();
      succeed(["create", "--bundle", makeBundle("sleep 1000").path, id]);
      expect(state(id).status).toBe("created");
      const child = spawnTsrunc(["delete", "--force", id]);
      await pause(random() * 15);
      child.kill("SIGKILL");
      await ended(child);
      clear(id);
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

describe("a command on a container that another command works on", () => {
  test("delete --force of one that runs in the foreground succeeds, and so does the run's own end", async () => {
    for (let round = 0; round < 3; round++) {
      const id = newId();
      const running = spawnTsrunc(["run", "--bundle", makeBundle("sleep 1000").path, id]);
      await until("it runs", () => tsrunc(["state", id]).stdout.includes('"running"'));
      succeed(["delete", "--force", id]);
      expect(await ended(running)).toBe(137);
    }
  });

  test("delete --force ends a creation that a hook of the init holds up for ever", async () => {
    const id = newId();
    const bundle = makeBundle("true", (config) => {
      config.hooks.createContainer = [{ path: "/bin/sleep", args: ["sleep", "1000"] }];
    });
    const creating = spawnTsrunc(["create", "--bundle", bundle.path, id]);
    const pid = creating.pid ?? 0;
    await until("the hook runs", () => descendants(pid).some((process) => command(process).startsWith("sleep 1000")));
    succeed(["delete", "--force", id]);
    expect(await ended(creating)).toBe(1);
  });

  test("a createRuntime hook that deletes its container fails the creation, and does not wait for itself", () => {
    const id = newId();
    const [path, ...args] = commandLine(["delete", "--force", id]) as [string, ...string[]];
    const bundle = makeBundle("true", (config) => {
      config.hooks.createRuntime = [{ path, args: [path, ...args] }];
    });
    expect(tsrunc(["create", "--bundle", bundle.path, id])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("another command works on it"),
    });
  });

  test("a poststart hook may delete its container", () => {
    const id = newId();
    const [path, ...args] = commandLine(["delete", "--force", id]) as [string, ...string[]];
    const bundle = makeBundle("sleep 1000", (config) => {
      config.hooks.poststart = [{ path, args: [path, ...args] }];
    });
    succeed(["create", "--bundle", bundle.path, id]);
    succeed(["start", id]);
    expect(tsrunc(["state", id]).code).toBe(1);
  });
});

test("the init dies with a runtime that is killed, whatever hook it runs, and without cgroups", async () => {
  const id = newId();
  const bundle = makeBundle("true", (config) => {
    config.hooks.createContainer = [{ path: "/bin/sleep", args: ["sleep", "1000"] }];
  });
  const child = spawnTsrunc(["--cgroup-manager", "disabled", "create", "--bundle", bundle.path, id]);
  const pid = child.pid ?? 0;
  await until("the hook runs", () => descendants(pid).some((process) => command(process).startsWith("sleep 1000")));
  const left = descendants(pid);
  child.kill("SIGKILL");
  await until("all are gone", () => left.every((process) => command(process) === ""));
});

test("delete --force of a stopped container spares another one that has its cgroup by now", () => {
  const inCgroup = (config: TestSpec) => Object.assign(config.linux, { cgroupsPath: "/test-shared-cgroup" });
  const first = startDetached("true", inCgroup);
  const second = startDetached("sleep 1000", inCgroup);
  tsrunc(["delete", "--force", first]);
  expect(state(second).status).toBe("running");
  succeed(["delete", "--force", second]);
  succeed(["delete", "--force", first]);
});

describe("a configuration", () => {
  test.each([
    ["[", "", 2_000_000],
    ['{"a":null,"b":[', "]}", 200_000],
  ])("that is nested without end gets a clear error (%s)", (opening, closing, depth) => {
    const bundle = makeBundle("true");
    writeFileSync(join(bundle.path, "config.json"), opening.repeat(depth) + closing.repeat(depth));
    expect(refused(["create", "--bundle", bundle.path, newId()])).toContain("nested more than 1000 deep");
  });
});

test("a --root without space leaves nothing of the container", () => {
  const root = join(directory(), "full");
  mkdirSync(root);
  const options = { root };
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=4k", "none", root]);
  try {
    writeFileSync(join(root, "filler"), Buffer.alloc(4096));
    expect(refused(["create", "--bundle", makeBundle("true").path, newId()], options)).toContain("no space left");
    expect(readdirSync(root)).toEqual(["filler"]);
  } finally {
    execFileSync("umount", [root]);
  }
});

/** Seconds since the machine was started. */
const uptime = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
const noShift = !isTsrunc
  ? "for tsrunc only"
  : !hasProgram("unshare") || !hasProgram("flock")
    ? "needs unshare, flock"
    : uptime < 120
      ? "the machine has just been started"
      : null;

test.skipIf(noShift !== null)(
  `a wait for another command ends, though the machine has been up for less long than when tsrunc was built (${noShift ?? ""})`,
  () => {
    const id = newId();
    succeed(["create", "--bundle", makeBundle("true").path, id]);
    const [program, ...args] = commandLine(["start", id]);
    const directory = join(args[args.indexOf("--root") + 1] as string, id);
    const earlier = Math.floor(uptime - 60);
    const shift = ["--time", `--monotonic=-${earlier}`, `--boottime=-${earlier}`];
    const script =
      'flock -F "$1" sleep 30 > /dev/null 2>&1 & sleep 0.3; shift; unshare "$@"; status=$?; kill %1; exit $status';
    const { status, stderr } = spawnSync(
      "bash",
      ["-c", script, "bash", directory, ...shift, program as string, ...args],
      {
        encoding: "utf8",
        timeout: 25_000,
      },
    );
    expect(stderr).toContain("is in use: another command works on it");
    expect(status).toBe(1);
  },
);

const limits = Array.from({ length: 17 }, (_, index) => index + 4);

test.each(limits)("with %i descriptors, a run works or leaves nothing", (limit) => {
  const id = newId();
  const bundle = makeBundle("echo ran", ({ process }) => {
    // Else this machine may refuse to raise the limit again, which comes before much that takes descriptors.
    process.rlimits = [];
  });
  const script = 'ulimit -n "$0"; exec "$@"';
  const args = commandLine(["run", "--bundle", bundle.path, id]);
  const root = args[args.indexOf("--root") + 1] as string;
  const { status, stdout, stderr } = spawnSync("bash", ["-c", script, `${limit}`, ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (status === 0) expect(stdout).toBe("ran\n");
  else expect(stderr).toMatch(/too many open files/);
  // Not by `delete` or `list`, which would clear it away.
  expect(existsSync(join(root, id))).toBe(false);
  expect(execFileSync("find", ["/sys/fs/cgroup", "-name", id], { encoding: "utf8" })).toBe("");
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(bundle.path);
});
