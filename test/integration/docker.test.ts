/** Docker with the runtime under test as its own, on an image imported from a tarball. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { makeRootfs } from "../support/rootfs.ts";
import { Engine, type EngineResult } from "./engine.ts";
import { cannotRun, hasProgram, runtime, until } from "./harness.ts";

const missing = ["dockerd", "containerd", "docker"].filter((program) => !hasProgram(program));
let reason = cannotRun() ?? (missing.length > 0 ? `needs ${missing.join(", ")}` : null);
let engine: Engine;
const parent = `tsrunc-docker-${process.pid}`;

function docker(...args: string[]): EngineResult {
  return engine.run(["docker", "--host", `unix://${engine.home}/sock`, "--config", engine.home, ...args]);
}

const modest = ["--runtime", "tested", "--network", "none"];

const run = (flags: string[], ...command: string[]): EngineResult =>
  docker("run", "--rm", ...modest, ...flags, "busybox-test", ...command);

/** Starts a container that runs on its own. @returns its id */
function start(flags: string[], ...command: string[]): string {
  const { code, stdout, stderr } = docker("run", "--detach", ...modest, ...flags, "busybox-test", ...command);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout.trim();
}

const inspect = (id: string, field: string): string =>
  docker("inspect", "--format", `{{.State.${field}}}`, id).stdout.trim();

beforeAll(async () => {
  if (reason !== null) return;
  engine = new Engine("docker");
  const { home } = engine;
  const places = ["--data-root", `${home}/data`, "--exec-root", `${home}/exec`, "--pidfile", `${home}/pid`];
  const network = ["--bridge=none", "--iptables=false", "--ip6tables=false"];
  const daemon = ["dockerd", "--host", `unix://${home}/sock`, ...places, ...network, "--storage-driver", "vfs"];
  reason = await engine.start(
    [...daemon, "--cgroup-parent", `/${parent}`, "--add-runtime", `tested=${runtime}`],
    ["docker", "--host", `unix://${home}/sock`, "version"],
  );
  if (reason !== null) return;
  mkdirSync(join(home, "rootfs"));
  makeRootfs(join(home, "rootfs"));
  execFileSync("tar", ["-cf", join(home, "image.tar"), "-C", join(home, "rootfs"), "."]);
  expect(docker("import", join(home, "image.tar"), "busybox-test").code).toBe(0);
});

beforeEach(({ skip }) => {
  if (reason !== null) skip(reason);
});

afterEach(() => {
  if (reason !== null) return;
  const left = docker("ps", "--all", "--quiet")
    .stdout.split("\n")
    .filter((id) => id !== "");
  if (left.length > 0) docker("rm", "--force", ...left);
});

afterAll(async () => {
  await engine?.stop();
  engine?.removeCgroup(parent);
});

describe("docker run", () => {
  test("prints what the container prints, and exits with its exit code", () => {
    const { code, stdout } = run([], "sh", "-c", "echo out; exit 42");
    expect({ code, stdout }).toEqual({ code: 42, stdout: "out\n" });
  });

  test.each([
    [127, "nosuch", /executable file not found in \$PATH/],
    [127, "/nosuch", /no such file or directory/],
    [126, "/etc/passwd", /permission denied/],
    [126, "/etc", /permission denied/],
  ])("exits with %d for the command %s", (code, command, why) => {
    expect(run([], command)).toMatchObject({ code, stderr: expect.stringMatching(why) });
  });

  test("exits with 125 for a directory on a file, with Docker's advice", () => {
    const { code, stderr } = run(["--volume", `${engine.home}/rootfs:/etc/passwd`], "true");
    expect({ code, stderr }).toEqual({
      code: 125,
      stderr: expect.stringContaining("Are you trying to mount a directory"),
    });
  });

  test("-t gives the container a terminal", () => {
    expect(run(["-t"], "sh", "-c", "test -t 0 && test -t 1 && echo terminal").stdout).toBe("terminal\n");
  });

  test("--user, --read-only, --volume, --init and --hostname are what the container has", () => {
    const data = join(engine.home, "data-of-test");
    mkdirSync(data);
    writeFileSync(join(data, "file"), "text\n");
    const flags = ["--user", "1000:2000", "--read-only", "--volume", `${data}:/data:ro`, "--init", "--hostname", "box"];
    const script = "id -u; id -g; cat /data/file; hostname; (touch /new) 2>/dev/null || echo refused";
    // Docker's init is a package of its own.
    const usable = hasProgram("docker-init") ? flags : flags.filter((flag) => flag !== "--init");
    expect(run(usable, "sh", "-c", script).stdout).toBe("1000\n2000\ntext\nbox\nrefused\n");
  });
});

describe("a container of Docker's", () => {
  test("takes docker exec, with its exit code, user, directory and terminal", () => {
    const id = start([], "sleep", "1000");
    expect(docker("exec", id, "sh", "-c", "echo inside; exit 7")).toMatchObject({ code: 7, stdout: "inside\n" });
    expect(docker("exec", "--user", "1000", "--workdir", "/tmp", id, "sh", "-c", "id -u; pwd").stdout).toBe(
      "1000\n/tmp\n",
    );
    expect(docker("exec", "-t", id, "sh", "-c", "test -t 1 && echo terminal").stdout).toBe("terminal\n");
    expect(docker("exec", id, "nosuch").stdout).toContain("executable file not found in $PATH");
    expect(docker("top", id, "-o", "pid,args").stdout).toContain("sleep 1000");
  });

  test("is paused and goes on, is stopped, started again and killed", async () => {
    const id = start([], "sh", "-c", "trap 'exit 4' TERM; while :; do sleep 0.1; done");
    expect(docker("pause", id).code).toBe(0);
    expect(inspect(id, "Status")).toBe("paused");
    expect(docker("unpause", id).code).toBe(0);
    await until("the trap is set", () => docker("exec", id, "grep", "SigCgt:.*4...", "/proc/1/status").code === 0);
    expect(docker("stop", id).code).toBe(0);
    expect(inspect(id, "ExitCode")).toBe("4");
    expect(docker("start", id).code).toBe(0);
    expect(docker("kill", id).code).toBe(0);
    expect(docker("wait", id).stdout).toBe("137\n");
  });

  test("is started again when it fails, as often as it may be", async () => {
    const id = start(["--restart", "on-failure:2"], "sh", "-c", "echo once; exit 1");
    await until("it has been started again twice", () => docker("logs", id).stdout === "once\nonce\nonce\n");
    await until("it has stopped", () => inspect(id, "Status") === "exited");
  });
});
