/** The library, on containers of its own store: what a program gets, and what is left when it ends in any way. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type BuildEvent,
  build,
  type Container,
  importImage,
  inspectImage,
  openContainer,
  pull,
  run,
  type TransferEvent,
  TsruncError,
} from "../../src/library/index.ts";
import { Scratch } from "../image/support.ts";
import { baseConfig } from "../support/config.ts";
import { makeRootfs } from "../support/rootfs.ts";
import { cannotRun, runtime } from "./harness.ts";

let scratch: Scratch;
let common: { executable: string; store: string; root: string };

beforeEach(async (context) => {
  const reason = cannotRun();
  if (reason !== null) context.skip(reason);
  scratch = new Scratch();
  common = { executable: runtime, store: scratch.at("store"), root: scratch.at("run") };
  mkdirSync(scratch.at("rootfs"));
  makeRootfs(scratch.at("rootfs"));
  await importImage(scratch.at("rootfs"), { ...common, name: "demo", changes: ["ENV PATH=/bin", "ENV A=image"] });
});

afterEach(() => {
  if (scratch === undefined) return;
  const left = leftBehind();
  for (const id of left.containers) command("container", "rm", "--force", "--store", common.store, id);
  for (const id of left.states) command("delete", "--force", id);
  scratch[Symbol.dispose]();
  expect(left).toEqual(NOTHING);
});

const NOTHING = { containers: [], states: [], mounts: [], processes: [], temporary: [] };

function command(...args: string[]): string {
  return spawnSync(runtime, ["--root", common.root, ...args], { encoding: "utf8" }).stdout;
}

/** What there is of containers now. */
function leftBehind(): Record<keyof typeof NOTHING, string[]> {
  const list = (path: string) => (existsSync(path) ? readdirSync(path) : []);
  const processes = list("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && commandLine(pid).includes(scratch.path);
    } catch {
      return false;
    }
  });
  return {
    containers: list(join(common.store, "containers")).filter((name) => name !== "lock"),
    states: list(common.root).filter((name) => name !== "seccomp:filters"),
    mounts: readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .filter((line) => line.includes(scratch.path)),
    processes: processes.map(commandLine),
    // Of this process alone: others run tests, too.
    temporary: temporaryDirectories().filter((name) => !before.has(name) && isOfNobody(name)),
  };
}

const commandLine = (pid: string) => readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");

const temporaryDirectories = () => readdirSync(tmpdir()).filter((name) => /^tsrunc-[A-Za-z0-9]{6}$/.test(name));
const before = new Set(temporaryDirectories());

/** Whether a directory is there and no process says that it is its. */
function isOfNobody(name: string): boolean {
  const path = join(tmpdir(), name);
  return existsSync(path) && readdirSync(path).length === 0;
}

/** What comes first. */
async function firstOf(stream: Readable): Promise<string> {
  for await (const chunk of stream) return String(chunk);
  return "";
}

async function failure(promise: Promise<unknown>): Promise<TsruncError> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TsruncError);
  return error as TsruncError;
}

describe("a container of an image", () => {
  test("has streams, a state, an exit code, and is gone when its process has ended", async () => {
    const container = await run({
      ...common,
      image: "demo",
      name: "talk",
      args: ["sh", "-c", "echo out; echo err >&2; read line; echo $line $A $B $(id -u) $PWD $(hostname); exit 7"],
      env: { A: "mine", B: "b c" },
      user: "user",
      cwd: "/tmp",
      hostname: "here",
      stdin: "pipe",
    });
    expect(await container.state()).toMatchObject({ id: "talk", status: "running" });
    expect(await container.inspect()).toMatchObject({ id: container.id, status: "running", network: "none" });
    expect(await container.output("hello\n")).toEqual({
      stdout: "out\nhello mine b c 1000 /tmp here\n",
      stderr: "err\n",
      code: 7,
      signal: null,
    });
    expect(leftBehind()).toEqual(NOTHING);
    await container.remove();
  });

  test("gives bytes as they come, megabytes of them", async () => {
    await using container = await run({
      ...common,
      image: "demo",
      args: ["sh", "-c", "wc -c; seq 300000"],
      stdin: "pipe",
    });
    Readable.from(Array.from({ length: 50 }, () => Buffer.alloc(100_000, 97))).pipe(container.stdin);
    let size = 0;
    let first = "";
    for await (const chunk of container.stdout) {
      first += first === "" ? String(chunk) : "";
      size += (chunk as Buffer).length;
    }
    expect(first).toMatch(/^5000000\n/);
    expect(size).toBe("5000000\n".length + 1_988_895);
    expect(await container.wait()).toEqual({ code: 0, signal: null });
  });

  test("takes signals, and tells which one ended it", async () => {
    await using container = await run({
      ...common,
      image: "demo",
      args: ["sh", "-c", "trap 'echo usr1' USR1; while :; do sleep 0.05; done"],
    });
    await container.kill("SIGUSR1");
    expect(await firstOf(container.stdout)).toBe("usr1\n");
    await container.kill(9);
    expect(await container.wait()).toEqual({ code: 137, signal: "SIGKILL" });
    expect((await failure(container.kill())).message).toMatch(/does not exist/);
  });

  test("executes further processes, as other users, with input, and tells how they end", async () => {
    await using container = await run({ ...common, image: "demo", args: ["sleep", "1000"] });
    const shown = container.exec(["sh", "-c", "cat; id -un; echo $X; pwd; echo e >&2; exit 3"], {
      ...{ stdin: "pipe", user: "user", env: { X: "y" }, cwd: "/tmp" },
    });
    expect(await shown.output("in\n")).toMatchObject({ code: 3, stdout: "in\nuser\ny\n/tmp\n", stderr: "e\n" });
    expect(await container.exec(["echo", "--name=x", "-i"]).text()).toBe("--name=x -i\n");
    const refused = await failure(container.exec(["sh", "-c", "echo no >&2; exit 4"]).text());
    expect(refused).toMatchObject({ code: "FAILED", exitCode: 4, stderr: "no" });
    expect(await failure(container.exec(["nosuch"]).output())).toMatchObject({
      code: "FAILED",
      exitCode: 255,
      stderr: expect.stringContaining("nosuch"),
    });
    expect(() => container.exec(["true"]).stdin).toThrow(/stdin is no pipe/);
    const long = container.exec(["sh", "-c", "echo up; exec sleep 1000"]);
    await firstOf(long.stdout);
    await long.kill();
    expect((await long.wait()).code).toBe(143);
    const controller = new AbortController();
    const aborted = container.exec(["sh", "-c", "echo up; exec sleep 1000"], { signal: controller.signal });
    await firstOf(aborted.stdout);
    controller.abort(new Error("enough"));
    await expect(aborted.wait()).rejects.toThrow("enough");
  });

  test("has limits, volumes and mounts", async () => {
    mkdirSync(scratch.at("shared"));
    writeFileSync(scratch.at("shared/file"), "of the host\n");
    const volumes = [
      { source: scratch.at("shared"), destination: "/shared", options: ["ro"] },
      { source: "data", destination: "/data" },
    ];
    await using container = await run({
      ...{ ...common, image: "demo", volumes, readOnly: true, limits: { memory: "64m", pids: 50, cpus: 0.5 } },
      args: ["sh", "-c", "cat /shared/file; touch /shared/x; touch /x; echo kept > /data/file; sleep 1000"],
      stderr: "ignore",
    });
    expect(await firstOf(container.stdout)).toBe("of the host\n");
    const info = await container.inspect();
    expect(info.volumes).toEqual([{ name: "data", destination: "/data" }]);
    const config = JSON.parse(readFileSync(join(info.bundle, "config.json"), "utf8"));
    expect(config.linux.resources).toMatchObject({ memory: { limit: 64 << 20 }, pids: { limit: 50 } });
    await container.stop({ timeout: 0 });
    await using next = await run({ ...common, image: "demo", volumes, args: ["cat", "/data/file"] });
    expect(await next.text()).toBe("kept\n");
    command("volume", "rm", "--store", common.store, "data");
  });

  test("that cannot be started leaves nothing, and says why", async () => {
    const absent = await failure(run({ ...common, image: "demo", args: ["nosuch"] }));
    expect(absent).toMatchObject({
      code: "FAILED",
      exitCode: 1,
      stderr: expect.stringMatching(/"nosuch": executable/),
    });
    expect((await failure(run({ ...common, image: "nosuch" }))).message).toMatch(/^no such image: nosuch/);
    expect((await failure(run({ ...common, image: "demo", detach: true, args: ["nosuch"] }))).message).toMatch(
      /nosuch/,
    );
    expect(leftBehind()).toEqual(NOTHING);
  });

  test("does not touch another one of its name", async () => {
    await using first = await run({ ...common, image: "demo", name: "only", args: ["sleep", "1000"] });
    expect((await failure(run({ ...common, image: "demo", name: "only" }))).message).toMatch(
      /the name only belongs to/,
    );
    const controller = new AbortController();
    const second = run({ ...common, image: "demo", name: "only", signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(second).rejects.toThrow("enough");
    expect((await first.state()).status).toBe("running");
  });
});

describe("a detached container", () => {
  test("goes on, keeps its log, is found again, stopped and started", async () => {
    const script = "echo begun >&2; trap 'echo ended; exit 5' TERM; while :; do sleep 0.05; done";
    await using container = await run({
      ...common,
      image: "demo",
      name: "long",
      detach: true,
      args: ["sh", "-c", script],
    });
    const found = await openContainer("long", common);
    expect(found).toMatchObject({ id: container.id, name: "long", detached: true });
    const waited = found.wait();
    await container.pause();
    expect((await container.inspect()).status).toBe("paused");
    await container.resume();
    const following = container.logs({ follow: true });
    await container.stop();
    expect(await waited).toEqual({ code: 5, signal: null });
    expect(await following.output()).toMatchObject({ stdout: "ended\n", stderr: "begun\n", code: 0 });
    expect(await container.inspect()).toMatchObject({ status: "exited", exitCode: 5 });
    expect(await container.wait()).toEqual({ code: 5, signal: null });
    await container.start();
    expect((await container.state()).status).toBe("running");
    expect(() => container.stdout).toThrow(TsruncError);
  });

  test("is not there: its wait and its removal say so, or are fine", async () => {
    expect((await failure(openContainer("nosuch", common))).message).toMatch(/no such container: nosuch/);
    const container = await run({ ...common, image: "demo", detach: true, args: ["true"] });
    await container.remove();
    await container.remove();
    await container[Symbol.asyncDispose]();
    expect((await failure(container.inspect())).message).toMatch(/no such container/);
  });
});

describe("a container of a bundle", () => {
  function makeBundle(...args: string[]): string {
    const bundle = scratch.at("bundle");
    mkdirSync(join(bundle, "rootfs"), { recursive: true });
    makeRootfs(join(bundle, "rootfs"));
    writeFileSync(join(bundle, "config.json"), JSON.stringify(baseConfig(args)));
    return bundle;
  }

  test("runs as its config.json says, or otherwise", async () => {
    const bundle = makeBundle("sh", "-c", "echo as is; exit 3");
    const before = readFileSync(join(bundle, "config.json"), "utf8");
    await using plain = await run({ ...common, bundle });
    expect(await plain.output()).toMatchObject({ code: 3, stdout: "as is\n" });
    await using other = await run({
      ...{ ...common, bundle, name: "other", env: { X: "1" }, user: { uid: 7, gid: 8 }, cwd: "/tmp", hostname: "b" },
      args: ["sh", "-c", "echo $X $(id -u):$(id -g) $PWD $(hostname); touch /x; ls /more; exit 9"],
      mounts: [{ destination: "/more", type: "tmpfs", source: "tmpfs" }],
      readOnly: true,
      spec: (spec) => ({ ...spec, annotations: { made: "here" } }),
    });
    expect(await other.output()).toMatchObject({ code: 9, stdout: "1 7:8 /tmp b\n" });
    expect(readFileSync(join(bundle, "config.json"), "utf8")).toBe(before);
    expect(leftBehind()).toEqual(NOTHING);
  });

  test("is executed in, stopped, and removed at the end of a block, also one that throws", async () => {
    const bundle = makeBundle("sleep", "1000");
    let container: Container | undefined;
    const work = async () => {
      await using one = await run({ ...common, bundle });
      container = one;
      expect(await one.exec(["sh", "-c", "cat; id -u"], { user: "5", stdin: "pipe" }).text("x\n")).toBe("x\n5\n");
      throw new Error("of the caller");
    };
    await expect(work()).rejects.toThrow("of the caller");
    expect(container?.hasEnded).toBe(true);
    expect(leftBehind()).toEqual(NOTHING);
    await using detached = await run({ ...common, bundle, detach: true });
    expect((await detached.state()).status).toBe("running");
    await detached.stop({ timeout: 0 });
    expect((await detached.state()).status).toBe("stopped");
  });

  test("that is refused says where it is wrong, and one of the same name stays", async () => {
    const bundle = makeBundle("sleep", "1000");
    const wrong = await failure(
      run({ ...common, bundle, spec: { ociVersion: "1.2.0", process: { cwd: "x", args: ["a"] } } }),
    );
    expect(wrong.message).toMatch(/\/process\/cwd: "x": must be an absolute path|\/root/);
    await using first = await run({ ...common, bundle, name: "same" });
    expect((await failure(run({ ...common, bundle, name: "same" }))).message).toMatch(/same/);
    expect((await first.state()).status).toBe("running");
    expect((await failure(run({ ...common, bundle: scratch.at("nosuch") }))).message).toMatch(
      /config\.json.*nosuch|nosuch/,
    );
  });
});

/** Nothing would be left by a run of what is not there, either. */
async function hasImage(): Promise<void> {
  expect((await inspectImage("demo", common)).id).toMatch(/^sha256:/);
}

describe("a signal", () => {
  beforeEach(hasImage);

  test("that is aborted beforehand starts nothing", async () => {
    const signal = AbortSignal.abort(new Error("before"));
    await expect(run({ ...common, image: "demo", signal })).rejects.toThrow("before");
    await expect(pull("demo", { ...common, signal })).rejects.toThrow("before");
    await expect(build({ ...common, context: ".", signal })).rejects.toThrow("before");
  });

  test.each([0, 5, 20, 60, 150, 400])(
    "after %d ms ends a start, or what has started, and leaves nothing",
    async (time) => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(new Error("enough")), time);
      const { signal } = controller;
      const ended = run({ ...common, image: "demo", args: ["sh", "-c", "trap '' TERM; sleep 1000"], signal }).then(
        (container) => container.wait(),
      );
      await expect(ended).rejects.toThrow("enough");
      await expect.poll(leftBehind, { timeout: 20_000 }).toEqual(NOTHING);
    },
  );
});

describe("the end of the program", () => {
  beforeEach(hasImage);

  const entry = resolve("src/library/index.ts");
  const program = (body: string) => {
    const path = scratch.at("program.ts");
    const script = `import { run } from ${JSON.stringify(entry)};\nconst common = ${JSON.stringify(common)};\n${body}\n`;
    writeFileSync(path, script);
    return spawnSync(process.execPath, [path], { encoding: "utf8", timeout: 50_000 });
  };

  test("by an error that nobody catches takes its containers along", async () => {
    const { status, stderr } = program(
      'await run({ ...common, image: "demo", args: ["sleep", "1000"] });\nsetTimeout(() => { throw new Error("of the program"); }, 10);',
    );
    expect(stderr).toContain("of the program");
    expect(status).toBe(1);
    await expect.poll(leftBehind, { timeout: 20_000 }).toEqual(NOTHING);
  });

  test("leaves a detached one", async () => {
    const { status, stderr } = program(
      'await run({ ...common, image: "demo", name: "left", detach: true, args: ["sleep", "1000"] });',
    );
    expect(stderr).toBe("");
    expect(status).toBe(0);
    await using left = await openContainer("left", common);
    expect((await left.state()).status).toBe("running");
  });
});

describe("images", () => {
  test("are built, with progress, warnings, and the reason of a failure by its line", async () => {
    const context = scratch.at("context");
    mkdirSync(context);
    writeFileSync(join(context, "Dockerfile"), "FROM demo\nARG V\nCMD a\nRUN echo v=$V; echo > /made\nCMD cat /made\n");
    const events: BuildEvent[] = [];
    const options = { ...common, context, tags: ["made"], buildArgs: { V: "1 2" }, labels: { l: "x" } };
    const built = await build({ ...options, onProgress: (event) => events.push(event) });
    expect(built.id).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(built.warnings).toEqual([expect.stringMatching(/Dockerfile:3:1: this CMD does not count/)]);
    expect(await inspectImage("made", common)).toMatchObject({ id: built.id, digest: built.digest, size: built.size });
    expect(events).toContainEqual({ kind: "output", step: 3, line: "v=1 2" });
    expect(events).toContainEqual({ kind: "end", step: 3, how: "done", seconds: expect.any(Number) });
    writeFileSync(join(context, "Dockerfile"), "FROM demo\nRUN exit 3\n");
    expect(await failure(build(options))).toMatchObject({
      code: "FAILED",
      message: expect.stringMatching(/Dockerfile:2:1: .*exit code 3/),
    });
    const thrown = build({
      ...options,
      onProgress: () => {
        throw new Error("of the callback");
      },
    });
    await expect(thrown).rejects.toThrow("of the callback");
  });

  test("are built of a context that comes as a stream", async () => {
    const context = scratch.at("context");
    mkdirSync(context);
    writeFileSync(join(context, "Dockerfile"), "FROM demo\nCOPY Dockerfile /d\n");
    const tar = spawnSync("tar", ["-c", "-C", context, "Dockerfile"]).stdout;
    const { id } = await build({ ...common, context: Readable.from([tar]) });
    await using container = await run({ ...common, image: id, args: ["cat", "/d"] });
    expect(await container.text()).toContain("COPY Dockerfile");
  });

  test("are imported from a stream, with progress", async () => {
    const events: TransferEvent[] = [];
    const tar = spawnSync("tar", ["-c", "-C", scratch.at("rootfs"), "."], { maxBuffer: 2 ** 26 }).stdout;
    const { digest } = await importImage(Readable.from([tar]), {
      ...common,
      name: "streamed",
      onProgress: (event) => events.push(event),
    });
    expect((await inspectImage("streamed", common)).digest).toBe(digest);
    expect(events.at(-1)).toMatchObject({ kind: "done" });
  });

  test("that cannot be fetched say why", async () => {
    const error = await failure(pull("localhost:1/nosuch", { ...common, plainHttp: true, retries: 0 }));
    expect(error).toMatchObject({ code: "FAILED", exitCode: 1, message: expect.stringContaining("localhost:1") });
  });
});
