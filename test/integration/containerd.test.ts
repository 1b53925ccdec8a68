/** containerd with the runtime under test behind its shim for runc. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeRootfs } from "../support/rootfs.ts";
import { Engine, type EngineResult } from "./engine.ts";
import { cannotRun, hasProgram, runtime, until } from "./harness.ts";

const missing = ["containerd", "containerd-shim-runc-v2", "ctr"].filter((program) => !hasProgram(program));
let reason = cannotRun() ?? (missing.length > 0 ? `needs ${missing.join(", ")}` : null);
let engine: Engine;
let counter = 0;
const ids: string[] = [];

function ctr(...args: string[]): EngineResult {
  return engine.run(["ctr", "--address", join(engine.home, "sock"), ...args]);
}

function newId(): string {
  const id = `tsrunc-ctr-${process.pid}-${++counter}`;
  ids.push(id);
  return id;
}

/** Runs a container of the test's rootfs. */
function run(flags: string[], id: string, ...command: string[]): EngineResult {
  const rootfs = join(engine.home, "rootfs");
  return ctr("run", "--runc-binary", runtime, "--env", "PATH=/bin", ...flags, "--rootfs", rootfs, id, ...command);
}

/** Starts a container that runs on its own. @returns its id */
function start(...command: string[]): string {
  const id = newId();
  expect(run(["--detach"], id, ...command)).toMatchObject({ code: 0, stderr: "" });
  return id;
}

const status = (id: string): string | undefined =>
  /^(\S+)\s+\d+\s+(\S+)/m.exec(
    ctr("task", "list")
      .stdout.split("\n")
      .find((line) => line.startsWith(id)) ?? "",
  )?.[2];

const exec = (id: string, ...args: string[]): EngineResult =>
  ctr("task", "exec", "--exec-id", `exec-${++counter}`, ...args.slice(0, -1), id, ...(args.at(-1) ?? "").split(" "));

beforeAll(async () => {
  if (reason !== null) return;
  engine = new Engine("ctr");
  const { home } = engine;
  mkdirSync(join(home, "rootfs"));
  makeRootfs(join(home, "rootfs"));
  const settings = [
    "version = 2",
    `root = "${home}/root"`,
    `state = "${home}/state"`,
    'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
    `[grpc]\n  address = "${home}/sock"`,
    `[ttrpc]\n  address = "${home}/ttrpc"`,
  ];
  writeFileSync(join(home, "config.toml"), settings.join("\n"));
  const daemon = ["containerd", "--config", join(home, "config.toml")];
  reason = await engine.start(daemon, ["ctr", "--address", join(home, "sock"), "version"]);
});

beforeEach(({ skip }) => {
  if (reason !== null) skip(reason);
});

afterEach(() => {
  if (reason !== null) return;
  for (const id of ids.splice(0)) {
    ctr("task", "delete", "--force", id);
    ctr("container", "delete", id);
  }
});

afterAll(async () => {
  await engine?.stop();
  // ctr's containers are in a cgroup named after their namespace.
  engine?.removeCgroup("default");
});

describe("ctr run", () => {
  test("prints what the container prints, and exits with its exit code", () => {
    expect(run(["--rm"], newId(), "sh", "-c", "echo out; echo err >&2; exit 42")).toMatchObject({
      code: 42,
      stdout: "out\n",
      stderr: expect.stringMatching(/^err$/m),
    });
  });

  test.each([
    ["nosuch", 'exec: "nosuch": executable file not found in $PATH'],
    ["/etc/passwd", 'exec: "/etc/passwd": permission denied'],
  ])("shows the runtime's reason when %s cannot be executed", (command, why) => {
    const { code, stderr } = run(["--rm"], newId(), command);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(`${why}: unknown`) });
  });

  test("shows that reason alone beside a seccomp filter", () => {
    expect(run(["--rm", "--seccomp"], newId(), "nosuch").stderr).toMatch(/^ctr: .*executable file not found in \$PATH/);
  });

  test("sets directory, environment, mounts and a read-only root", () => {
    const mount = `type=bind,src=${engine.home}/rootfs/etc,dst=/mnt,options=rbind:ro`;
    const flags = ["--rm", "--read-only", "--cwd", "/tmp", "--env", "X=y", "--mount", mount];
    const script = "pwd; echo $X; (touch /mnt/no) 2>/dev/null || echo refused; head -c 4 /mnt/passwd";
    expect(run(flags, newId(), "sh", "-c", script).stdout).toBe("/tmp\ny\nrefused\nroot");
  });
});

describe("a task", () => {
  test("takes further processes, with their exit code and user", () => {
    const id = start("sleep", "1000");
    expect(exec(id, "echo inside").stdout).toBe("inside\n");
    expect(exec(id, "--user", "1000", "id -u").stdout).toBe("1000\n");
    expect(exec(id, "--cwd", "/tmp", "ls nosuch").code).toBe(1);
    expect(exec(id, "nosuch").stderr).toContain('exec: "nosuch": executable file not found in $PATH');
    expect(ctr("task", "ps", id).stdout.trim().split("\n")).toHaveLength(2);
  });

  test("is paused and goes on", () => {
    const id = start("sleep", "1000");
    expect(ctr("task", "pause", id).code).toBe(0);
    expect(status(id)).toBe("PAUSED");
    expect(ctr("task", "resume", id).code).toBe(0);
    expect(status(id)).toBe("RUNNING");
  });

  test("is killed, with a signal or all of its processes, and deleted", async () => {
    const id = start("sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.1; done");
    await until("the trap is set", () => exec(id, "grep SigCgt:.*4... /proc/1/status").code === 0);
    expect(ctr("task", "kill", "--signal", "TERM", id).code).toBe(0);
    await until("it has stopped", () => status(id) === "STOPPED");
    expect(ctr("task", "kill", id).stderr).toContain("not found");
    expect(ctr("task", "delete", id).stderr).toContain("exit code 7");
    const all = start("sh", "-c", "sleep 500 & sleep 501");
    expect(ctr("task", "kill", "--all", "--signal", "KILL", all).code).toBe(0);
    await until("all have stopped", () => status(all) === "STOPPED");
    expect(ctr("task", "delete", all).stderr).toContain("exit code 137");
  });
});
