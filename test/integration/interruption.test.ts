/** Signals that come while a command has not yet done what it is for: it undoes what it has made. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { HookKind } from "../../src/config/types.ts";
import { count, countsOn, criu, env as criuEnvironment, images, quietly, start } from "./checkpoints.ts";
import {
  type Bundle,
  directory,
  ended,
  isTsrunc,
  makeBundle,
  newId,
  refused,
  spawnTsrunc,
  startDetached,
  state,
  succeed,
  tsrunc,
  until,
  useContainers,
} from "./harness.ts";

useContainers();

/** A container with a hook that hangs: it has come to that when there is a file `waits` in the bundle. */
function bundleThatWaits(kind: HookKind): Bundle {
  return makeBundle("sleep 1000", (config, { path }) => {
    config.mounts.push({ destination: path, type: "bind", source: path, options: ["bind", "rw"] });
    const hook = (script: string) => [{ path: "/bin/sh", args: ["sh", "-c", script], env: ["PATH=/bin:/usr/bin"] }];
    config.hooks[kind] = hook(`touch ${path}/waits; sleep 1000`);
    config.hooks.poststop = hook(`touch ${path}/stopped`);
  });
}

const whenItWaits = (bundle: Bundle) => until("the hook runs", () => existsSync(join(bundle.path, "waits")));

test.runIf(isTsrunc).each<[NodeJS.Signals, string, HookKind]>([
  // By whatever ends a program that has no other wish.
  ["SIGTERM", "create", "createRuntime"],
  ["SIGUSR1", "create", "createRuntime"],
  ["SIGPWR", "create", "createContainer"],
  ["SIGTERM", "run --detach", "createRuntime"],
  ["SIGALRM", "run --detach", "createContainer"],
  ["SIGUSR2", "run --detach", "startContainer"],
  ["SIGTERM", "run --detach", "poststart"],
  // By what asks for an end: the others are for the process.
  ["SIGHUP", "run", "createRuntime"],
  ["SIGINT", "run", "createContainer"],
  ["SIGQUIT", "run", "startContainer"],
  ["SIGTERM", "run", "poststart"],
])("%s undoes %s while its %s hook hangs", async (signal, command, kind) => {
  const bundle = bundleThatWaits(kind);
  const id = newId();
  const child = spawnTsrunc([...command.split(" "), "--bundle", bundle.path, id]);
  await whenItWaits(bundle);
  child.kill(signal);
  expect(await ended(child)).toBe(1);
  expect(existsSync(join(bundle.path, "stopped"))).toBe(true);
  expect(refused(["state", id])).toContain("does not exist");
});

test.runIf(isTsrunc)("run keeps other signals for the process", async () => {
  const bundle = makeBundle('trap "exit 7" USR1; touch /ready; while :; do sleep 0.05; done', (config, { path }) => {
    const script = `touch ${path}/waits; while [ ! -e ${path}/go ]; do sleep 0.05; done`;
    config.hooks.createRuntime = [{ path: "/bin/sh", args: ["sh", "-c", script], env: ["PATH=/bin:/usr/bin"] }];
    config.hooks.poststart = [
      {
        path: "/bin/sh",
        args: ["sh", "-c", `while [ ! -e ${path}/rootfs/ready ]; do sleep 0.05; done`],
        env: ["PATH=/bin:/usr/bin"],
      },
    ];
  });
  const child = spawnTsrunc(["run", "--bundle", bundle.path, newId()]);
  await whenItWaits(bundle);
  child.kill("SIGUSR1");
  writeFileSync(join(bundle.path, "go"), "");
  expect(await ended(child)).toBe(7);
});

/** An agent that gets the calls a filter asks about, and never answers. */
async function mute(): Promise<{ path: string; agent: ChildProcess }> {
  const path = join(directory(), "mute");
  const script = `import socket; s = socket.socket(socket.AF_UNIX); s.bind(${JSON.stringify(path)}); s.listen(9); kept = []
while True:
  c, _ = s.accept(); kept.append((c, socket.recv_fds(c, 65536, 8)))`;
  const agent = spawn("python3", ["-c", script], { stdio: "ignore" });
  await until("the agent listens", () => existsSync(path));
  return { path, agent };
}

describe.runIf(isTsrunc).each<[string[], NodeJS.Signals[]]>([
  [[], ["SIGINT"]],
  [["--detach"], ["SIGTERM", "SIGUSR1"]],
])("exec %s", (options, signals) => {
  test.each(signals)("ends by %s what hangs before it is the program", async (signal) => {
    const { path, agent } = await mute();
    try {
      const id = startDetached("sleep 1000", (config) => {
        const condition = { index: 0, value: 1234, op: "SCMP_CMP_EQ" };
        const syscalls = [{ names: ["setresuid"], action: "SCMP_ACT_NOTIFY", args: [condition] }];
        config.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", listenerPath: path, syscalls };
        config.process.noNewPrivileges = false;
      });
      const child = spawnTsrunc(["exec", ...options, "--user", "1234", id, "sleep", "1000"]);
      // The call waits in the kernel: of the container's two processes one is asked about.
      await until("the process hangs", () => pids(id).some((pid) => waitsForAgent(pid)));
      child.kill(signal);
      expect(await ended(child)).toBe(255);
      await until("it is gone", () => pids(id).length === 1);
    } finally {
      agent.kill("SIGKILL");
    }
  });
});

function pids(id: string): number[] {
  return JSON.parse(succeed(["ps", "--format", "json", id])) as number[];
}

function waitsForAgent(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/wchan`, "utf8").startsWith("seccomp");
  } catch {
    return false;
  }
}

describe.skipIf(criu.kind === "none")(`checkpoint${criu.kind === "none" ? `: ${criu.whyNot}` : ""}`, () => {
  /** Begins a checkpoint, and holds CRIU where it writes pages. */
  async function beginDump(id: string): Promise<{ child: ChildProcess; criuPid: number }> {
    const child = spawnTsrunc(["--log", log(), "checkpoint", "--image-path", images(), id], criuEnvironment);
    const pages = join(images(), "pages-1.img");
    // Until its code is in the processes, and waits for it, its death would be theirs.
    await until("CRIU writes pages", () => (statSync(pages, { throwIfNoEntry: false })?.size ?? 0) > 10_000_000);
    const criuPid = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8"));
    process.kill(criuPid, "SIGSTOP");
    return { child, criuPid };
  }

  const log = () => join(directory(), "checkpoint.log");

  /** Number 5 of its /proc/<pid>/stat. */
  const processGroup = (pid: number) => readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[4];

  /** Something that takes a while to write. */
  const counting =
    'x=$(head -c 200000000 /dev/zero | tr "\\0" x); i=0; while :; do echo $((i+=1)) >> /count; sleep 0.1; done';

  async function goesOn(id: string, bundle: Bundle): Promise<void> {
    expect(state(id).status).toBe("running");
    await countsOn(bundle, count(bundle));
    const restore = ["restore", "--image-path", images(), "--bundle", bundle.path, newId()];
    expect(refused(restore, { env: criuEnvironment })).toContain("no checkpoint");
  }

  test.each<NodeJS.Signals>(["SIGTERM", "SIGINT", "SIGUSR1"])(
    "is undone by %s: the container goes on",
    async (signal) => {
      const { id, bundle } = start(counting);
      await countsOn(bundle, 1);
      const { child, criuPid } = await beginDump(id);
      // Or else the keys of a terminal would end it.
      expect(processGroup(criuPid)).toBe(String(criuPid));
      child.kill(signal);
      process.kill(criuPid, "SIGCONT");
      expect(await ended(child)).toBe(1);
      expect(readFileSync(log(), "utf8")).toContain(`interrupted by ${signal}: the container goes on`);
      expect(existsSync(`/proc/${criuPid}`)).toBe(false);
      await goesOn(id, bundle);
    },
  );

  test("ends by a second signal where CRIU does not", async () => {
    const { id, bundle } = start(counting);
    await countsOn(bundle, 1);
    const { child } = await beginDump(id);
    child.kill("SIGTERM");
    const status = `/proc/${child.pid}/status`;
    await until("the signal to be read", () => /^ShdPnd:\t0+$/m.test(readFileSync(status, "utf8")));
    child.kill("SIGTERM");
    expect(await ended(child)).toBe(1);
    await goesOn(id, bundle);
  });

  test("is undone by the death of CRIU", async () => {
    const { id, bundle } = start(counting);
    await countsOn(bundle, 1);
    const { child, criuPid } = await beginDump(id);
    process.kill(criuPid, "SIGKILL");
    expect(await ended(child)).toBe(1);
    await goesOn(id, bundle);
  });
});

describe.skipIf(criu.kind === "none")(`restore${criu.kind === "none" ? `: ${criu.whyNot}` : ""}`, () => {
  test.each<[string[], NodeJS.Signals]>([
    [["--detach"], "SIGUSR1"],
    [[], "SIGINT"],
  ])("%s is undone by %s", async (options, signal) => {
    const { id } = start("sleep 1000");
    quietly(["checkpoint", "--image-path", images(), id]);
    const bundle = bundleThatWaits("createRuntime");
    const child = spawnTsrunc(
      ["restore", ...options, "--image-path", images(), "--bundle", bundle.path, id],
      criuEnvironment,
    );
    await whenItWaits(bundle);
    child.kill(signal);
    expect(await ended(child)).toBe(1);
    expect(tsrunc(["list", "-q"]).stdout).toBe("");
  });
});
