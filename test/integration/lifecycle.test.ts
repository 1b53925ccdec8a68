import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { TestSpec } from "../support/config.ts";
import {
  directory,
  isTsrunc,
  makeBundle,
  newId,
  refused,
  startDetached,
  state,
  succeed,
  tsrunc,
  until,
  useContainers,
} from "./harness.ts";

useContainers();

/** The v1 freezer, where there is one. */
const FREEZER = "/sys/fs/cgroup/freezer";

describe("create", () => {
  test("sets the container up and waits for start before it runs the process", async () => {
    const id = newId();
    const bundle = makeBundle("echo ran > /ran; sleep 1000");
    succeed(["create", "--bundle", bundle.path, id]);
    expect(state(id)).toMatchObject({ id, status: "created", bundle: bundle.path });
    expect(existsSync(join(bundle.rootfs, "ran"))).toBe(false);
    succeed(["start", id]);
    expect(state(id).status).toBe("running");
    await until("the process has run", () => existsSync(join(bundle.rootfs, "ran")));
  });

  test("takes the bundle from the working directory by default", () => {
    const id = newId();
    const bundle = makeBundle(["sleep", "1000"]);
    succeed(["create", id], { cwd: bundle.path });
    expect(state(id).bundle).toBe(bundle.path);
  });

  test("writes the init's pid to --pid-file", () => {
    const id = newId();
    const file = join(directory(), "pid");
    succeed(["create", "--bundle", makeBundle("sleep 1000").path, "--pid-file", file, id]);
    expect(readFileSync(file, "utf8")).toBe(String(state(id).pid));
  });

  test.runIf(isTsrunc)("writes the pid to a --pid-file that is a device or a pipe, and replaces neither", () => {
    const device = join(directory(), "null");
    execFileSync("mknod", [device, "c", "1", "3"]);
    const bundle = makeBundle("sleep 1000").path;
    succeed(["create", "--bundle", bundle, "--pid-file", device, newId()]);
    expect(statSync(device).isCharacterDevice()).toBe(true);

    const pipe = join(directory(), "pipe");
    execFileSync("mkfifo", [pipe]);
    const unread = newId();
    expect(refused(["create", "--bundle", bundle, "--pid-file", pipe, unread])).toContain(pipe);
    expect(refused(["state", unread])).toContain("does not exist");
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const id = newId();
    succeed(["create", "--bundle", bundle, "--pid-file", pipe, id]);
    const read = Buffer.alloc(64);
    expect(read.toString("utf8", 0, readSync(reader, read))).toBe(String(state(id).pid));
    closeSync(reader);
  });

  test("refuses an id that is taken, and leaves its container alone", () => {
    const id = startDetached();
    expect(refused(["create", "--bundle", makeBundle("true").path, id])).toMatch(/exist/);
    expect(state(id).status).toBe("running");
  });

  test("carries the annotations into the state", () => {
    const id = startDetached("sleep 1000", (config) => {
      config.annotations["org.example.key"] = "value";
    });
    expect(state(id).annotations).toMatchObject({ "org.example.key": "value" });
  });
});

describe("start", () => {
  test("refuses a container that runs already", () => {
    expect(refused(["start", startDetached()])).toMatch(/running|created/);
  });

  test("refuses a container that has stopped", async () => {
    const id = startDetached("true");
    await until("the container stops", () => state(id).status === "stopped");
    expect(refused(["start", id])).toMatch(/stopped/);
  });

  test("refuses an id that nobody has", () => {
    expect(refused(["start", "nobody"])).toMatch(/nobody|not exist/);
  });
});

describe("state", () => {
  test("of a container whose process has ended is stopped, with pid 0", async () => {
    const id = startDetached("true");
    await until("the container stops", () => state(id).status === "stopped");
    expect(state(id).pid).toBe(0);
  });

  test("refuses an id that nobody has", () => {
    expect(refused(["state", "nobody"])).toMatch(/not exist/);
  });
});

describe("kill", () => {
  test.each(["KILL", "SIGKILL", "9", "kill"])("takes the signal as %s", async (signal) => {
    const id = startDetached();
    succeed(["kill", id, signal]);
    await until("the container stops", () => state(id).status === "stopped");
  });

  test("sends SIGTERM by default", async () => {
    const id = startDetached('trap "echo got TERM > /signal; exit" TERM; echo > /ready; while :; do sleep 0.05; done');
    const { bundle } = state(id);
    await until("the trap is set", () => existsSync(join(bundle, "rootfs/ready")));
    succeed(["kill", id]);
    await until("the container stops", () => state(id).status === "stopped");
    expect(readFileSync(join(bundle, "rootfs/signal"), "utf8")).toBe("got TERM\n");
  });

  test("ends a container that was only created", async () => {
    const id = newId();
    succeed(["create", "--bundle", makeBundle("true").path, id]);
    succeed(["kill", id, "KILL"]);
    await until("the container stops", () => state(id).status === "stopped");
  });

  test.each(["TERM", "INT", "HUP", "QUIT"])("ends a container that was only created by SIG%s, too", async (signal) => {
    const id = newId();
    succeed(["create", "--bundle", makeBundle("true").path, id]);
    succeed(["kill", id, signal]);
    await until("the container stops", () => state(id).status === "stopped");
    expect(refused(["start", id])).toMatch(/stopped/);
  });

  test("leaves a container that was only created alone, when the signal is no request to end", () => {
    const id = newId();
    succeed(["create", "--bundle", makeBundle("echo started > /proof").path, id]);
    for (const signal of ["USR1", "WINCH", "CONT"]) succeed(["kill", id, signal]);
    expect(state(id).status).toBe("created");
    succeed(["start", id]);
  });

  test("refuses a signal that does not exist", () => {
    expect(refused(["kill", startDetached(), "NOTASIGNAL"])).toMatch(/NOTASIGNAL/i);
  });

  test("refuses a container that has stopped", async () => {
    const id = startDetached("true");
    await until("the container stops", () => state(id).status === "stopped");
    expect(refused(["kill", id, "KILL"])).toMatch(/not running|stopped/);
  });
});

describe("delete", () => {
  test("removes a container that has stopped", async () => {
    const id = startDetached("true");
    await until("the container stops", () => state(id).status === "stopped");
    succeed(["delete", id]);
    expect(refused(["state", id])).toMatch(/not exist/);
  });

  test("removes a container that was only created", () => {
    const id = newId();
    succeed(["create", "--bundle", makeBundle("true").path, id]);
    succeed(["delete", id]);
    expect(refused(["state", id])).toMatch(/not exist/);
  });

  test("refuses a container that runs, and leaves it alone", () => {
    const id = startDetached();
    expect(refused(["delete", id])).toMatch(/not stopped|running/);
    expect(state(id).status).toBe("running");
  });

  test("with --force kills it first, and all that it started", () => {
    const id = startDetached("sleep 1000 & sleep 1000 & wait");
    succeed(["delete", "--force", id]);
    expect(refused(["state", id])).toMatch(/not exist/);
  });

  test.runIf(isTsrunc && existsSync(FREEZER))("with --force thaws where somebody else has frozen the init", () => {
    const id = startDetached();
    const elsewhere = join(FREEZER, `${id}-elsewhere`);
    mkdirSync(elsewhere);
    try {
      writeFileSync(join(elsewhere, "cgroup.procs"), String(state(id).pid));
      writeFileSync(join(elsewhere, "freezer.state"), "FROZEN");
      expect(succeed(["delete", "--force", id])).toBe("");
    } finally {
      writeFileSync(join(elsewhere, "freezer.state"), "THAWED");
      rmdirSync(elsewhere);
    }
  });

  describe.runIf(isTsrunc && existsSync(FREEZER))("of a container with a frozen cgroup below its own", () => {
    /** @returns a container whose second process is frozen in a cgroup below the container's */
    const startFrozenBelow = async (edit: (config: TestSpec) => unknown = () => {}): Promise<string> => {
      const cgroupsPath = `/test-frozen-${newId()}`;
      const id = startDetached("sleep 1000 & wait", (config) => {
        Object.assign(config.linux, { cgroupsPath });
        edit(config);
      });
      const below = join(FREEZER, cgroupsPath, "a/b");
      const isOther = (pid: number) => pid !== state(id).pid;
      const processes = () => JSON.parse(succeed(["ps", "--format", "json", id])) as number[];
      await until("it has two processes", () => processes().some(isOther));
      mkdirSync(below, { recursive: true });
      writeFileSync(join(below, "cgroup.procs"), String(processes().find(isOther)));
      writeFileSync(join(below, "freezer.state"), "FROZEN");
      await until("it is frozen", () => readFileSync(join(below, "freezer.state"), "utf8") === "FROZEN\n");
      return id;
    };
    const sharingPids = ({ linux }: TestSpec) => {
      linux.namespaces = linux.namespaces.filter(({ type }) => type !== "pid");
    };

    test.each([
      ["its own pid namespace", () => {}],
      ["the host's pid namespace", sharingPids],
    ])("--force leaves nothing, with %s", async (_, edit) => {
      succeed(["delete", "--force", await startFrozenBelow(edit)]);
    });

    test.each([
      ["its own pid namespace", () => {}],
      ["the host's pid namespace", sharingPids],
    ])("SIGKILL ends it, with %s", async (_, edit) => {
      const id = await startFrozenBelow(edit);
      succeed(["kill", id, "KILL"]);
      await until("it has stopped", () => state(id).status === "stopped");
    });
  });

  test("with --force succeeds for an id that nobody has", () => {
    const id = startDetached();
    succeed(["delete", "--force", "nobody"]);
    expect(state(id).status).toBe("running");
  });

  test("refuses an id that nobody has", () => {
    expect(refused(["delete", "nobody"])).toMatch(/not exist/);
  });
});

describe("list", () => {
  test("prints a table with each container, and only the ids with --quiet", () => {
    const id = startDetached();
    const [head, row] = succeed(["list"]).split("\n");
    expect(head).toMatch(/^ID\s+PID\s+STATUS\s+BUNDLE\s+CREATED\s+OWNER/);
    expect(row).toMatch(new RegExp(`^${id}\\s+${state(id).pid}\\s+running\\s+/`));
    expect(succeed(["list", "--quiet"])).toBe(`${id}\n`);
  });

  test("prints JSON with --format json, and an empty list as such", () => {
    expect(JSON.parse(succeed(["list", "--format", "json"])) ?? []).toEqual([]);
    const id = startDetached();
    expect(JSON.parse(succeed(["list", "--format", "json"]))).toMatchObject([{ id, status: "running", owner: "root" }]);
  });
});

describe("ps", () => {
  test("shows the container's processes, as pids with --format json", () => {
    const id = startDetached(["sleep", "1000"]);
    expect(succeed(["ps", id])).toMatch(/sleep 1000/);
    expect(JSON.parse(succeed(["ps", "--format", "json", id]))).toEqual([state(id).pid]);
  });

  test.skipIf(!isTsrunc)("says once and in one line what ps(1) does not take", () => {
    const { code, stderr } = tsrunc(["ps", startDetached(["sleep", "1000"]), "--no-such-option"]);
    expect([code, stderr.trim().split("\n")]).toEqual([1, [expect.stringMatching(/ps --no-such-option: .*option/)]]);
  });
});

describe("pause and resume", () => {
  test("stop the container's processes and let them go on", () => {
    const id = startDetached();
    succeed(["pause", id]);
    expect(state(id).status).toBe("paused");
    succeed(["resume", id]);
    expect(state(id).status).toBe("running");
  });

  test("refuse what is not running, or not paused", () => {
    const id = newId();
    expect(refused(["pause", id])).toMatch(/not exist/);
    expect(refused(["resume", startDetached()])).toMatch(/not paused/);
  });

  test("delete --force removes a paused container", () => {
    const id = startDetached();
    succeed(["pause", id]);
    expect(state(id).status).toBe("paused");
    succeed(["delete", "--force", id]);
    expect(refused(["state", id])).toMatch(/not exist/);
  });
});

describe("the log file", () => {
  test("ends with the reason of a failure, in JSON", () => {
    const log = join(directory(), "log.json");
    const { code } = tsrunc(["start", "nobody"], { global: ["--log", log, "--log-format", "json"] });
    expect(code).toBe(1);
    const last = readFileSync(log, "utf8").trim().split("\n").at(-1) ?? "";
    expect(JSON.parse(last)).toMatchObject({
      level: "error",
      msg: expect.stringMatching(/not exist/),
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
  });
});
