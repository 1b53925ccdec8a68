import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import {
  cannotRun,
  commandLine,
  commandTimeout,
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

let id: string;

beforeEach(() => {
  if (cannotRun() === null) id = startDetached("sleep 1000", (config) => config.process.env.push("FROM=config"));
});

describe("exec", () => {
  test("runs a process in the container and prints its output", () => {
    expect(succeed(["exec", id, "hostname"])).toBe("container\n");
  });

  test("gives the process its stdin", () => {
    expect(tsrunc(["exec", id, "cat"], { input: "text" }).stdout).toBe("text");
  });

  test.each([0, 1, 77, 255])("exits with the process's exit code %i", (code) => {
    expect(tsrunc(["exec", id, "sh", "-c", `echo ran; exit ${code}`])).toEqual({ code, stdout: "ran\n", stderr: "" });
  });

  test("exits with 128 + n when the process dies of a signal", () => {
    expect(tsrunc(["exec", id, "sh", "-c", "kill -KILL $$"]).code).toBe(137);
  });

  test("joins all of the container's namespaces", () => {
    const script = "for n in pid net ipc uts mnt; do readlink /proc/self/ns/$n; done";
    const inside = succeed(["exec", id, "sh", "-c", script]);
    const init = succeed(["exec", id, "sh", "-c", script.replace("self", "1")]);
    expect(inside.match(/^\w+:\[\d+\]$/gm)).toHaveLength(5);
    expect(inside).toBe(init);
  });

  test("joins the container's cgroups", () => {
    const controllers = ["pids", "memory", "freezer"];
    const of = (pid: string): string =>
      succeed(["exec", id, "cat", `/proc/${pid}/cgroup`])
        .split("\n")
        .filter((line) => controllers.some((name) => line.includes(`:${name}:`)) || line.startsWith("0::"))
        .join("\n");
    expect(of("self")).toContain(id);
    expect(of("self")).toBe(of("1"));
  });

  test("--cwd sets the working directory", () => {
    expect(succeed(["exec", "--cwd", "/tmp", id, "pwd"])).toBe("/tmp\n");
  });

  test("--env adds to the environment, and replaces what the config set", () => {
    const env = succeed(["exec", "--env", "NEW=1", "--env", "FROM=flag", id, "env"]).split("\n");
    expect(env).toEqual(expect.arrayContaining(["NEW=1", "FROM=flag", "PATH=/bin"]));
    expect(env).not.toContain("FROM=config");
  });

  test("keeps the environment of the config and adds HOME", () => {
    expect(succeed(["exec", id, "env"]).split("\n")).toEqual(expect.arrayContaining(["FROM=config", "HOME=/root"]));
  });

  test("--user takes uid and gid", () => {
    expect(succeed(["exec", "--user", "1000:2000", id, "sh", "-c", "id -u; id -g"])).toBe("1000\n2000\n");
    expect(succeed(["exec", "-u", "1000", id, "sh", "-c", "id -u"])).toBe("1000\n");
  });

  test("--additional-gids adds groups", () => {
    const groups = succeed(["exec", "--user", "1000:1000", "-g", "2000", "-g", "2001", id, "id", "-G"]);
    expect(groups.trim().split(" ").sort()).toEqual(["1000", "2000", "2001"]);
  });

  test("--cap adds capabilities", () => {
    const bounding = (args: string[]): bigint => {
      const line = succeed(["exec", ...args, id, "grep", "CapBnd", "/proc/self/status"]);
      return BigInt(`0x${line.split("\t")[1]?.trim()}`);
    };
    const CAP_SYS_PTRACE = 1n << 19n;
    expect(bounding([]) & CAP_SYS_PTRACE).toBe(0n);
    expect(bounding(["--cap", "CAP_SYS_PTRACE"]) & CAP_SYS_PTRACE).toBe(CAP_SYS_PTRACE);
  });

  test("says of capabilities what is new, not what the container was warned of when it was made", () => {
    /** With a runtime that itself has no CAP_MKNOD. A container keeps the pipes of its output, which would be waited for. */
    const lacking = (args: string[], output: "pipe" | "ignore" = "pipe") => {
      const { status, stdout, stderr } = spawnSync("setpriv", ["--bounding-set", "-mknod", ...commandLine(args)], {
        encoding: "utf8",
        timeout: commandTimeout,
        stdio: ["ignore", output, output],
      });
      return { code: status, stdout, stderr };
    };
    const bundle = makeBundle("sleep 1000", (config) => {
      config.process.capabilities = {
        bounding: ["CAP_MKNOD", "CAP_KILL", "CAP_OF_ITS_OWN"],
        permitted: ["CAP_KILL"],
        ambient: ["CAP_KILL"],
      };
    });
    const warned = newId();
    const log = join(directory(), "log");
    expect(lacking(["--log", log, "run", "--detach", "--bundle", bundle.path, warned], "ignore").code).toBe(0);
    const words = readFileSync(log, "utf8");
    for (const name of ["CAP_MKNOD", "CAP_KILL", "CAP_OF_ITS_OWN"]) expect(words).toContain(name);
    expect(lacking(["exec", warned, "echo", "hello"])).toEqual({ code: 0, stdout: "hello\n", stderr: "" });
    const { stderr } = lacking(["exec", "--cap", "CAP_NEW", "--cap", "CAP_MKNOD", warned, "true"]);
    expect(stderr).toContain("ignoring unknown or unavailable capabilities: [CAP_NEW]");
  });

  test("--process reads the process from a pipe of the caller's, as a shell's <(…)", () => {
    const document = JSON.stringify({ cwd: "/", args: ["/bin/echo", "by a pipe"], env: [], user: { uid: 0, gid: 0 } });
    // The writer is late: the reader waits for it.
    const writer = `(sleep 0.2; printf %s "$document")`;
    const script = `document=$1; shift; "$@" --process <${writer} "$0"`;
    const arguments_ = [id, document, ...commandLine(["exec"])];
    expect(execFileSync("bash", ["-c", script, ...arguments_], { encoding: "utf8" })).toBe("by a pipe\n");
  });

  test("--process reads the process from a file", () => {
    const file = join(directory(), "process.json");
    const process = {
      args: ["sh", "-c", "pwd; id -u; echo $X"],
      cwd: "/tmp",
      env: ["PATH=/bin", "X=y"],
      user: { uid: 5, gid: 5 },
    };
    writeFileSync(file, JSON.stringify(process));
    expect(succeed(["exec", "--process", file, id])).toBe("/tmp\n5\ny\n");
  });

  test("--debug shows what the parent and the process do, step by step", () => {
    const file = join(directory(), "process.json");
    const execCPUAffinity = { initial: "0", final: "0" };
    writeFileSync(file, JSON.stringify({ args: ["true"], cwd: "/", env: ["PATH=/bin"], execCPUAffinity }));
    const { stderr } = tsrunc(["--debug", "exec", "--process", file, id]);
    // The milestones in runc's words, which its suite looks for.
    expect(stderr).toMatch(
      /nsexec container setup.*initial CPUs to 0: affinity: 0x1.*child process in init\(\).*setns_init: about to exec/s,
    );
    expect(stderr).toContain("init: report that the container is created");
  });

  test("--detach returns while the process runs, its pid in --pid-file", async () => {
    const file = join(directory(), "pid");
    succeed(["exec", "--detach", "--pid-file", file, id, "sh", "-c", "echo > /tmp/ran; sleep 1000"]);
    const pid = readFileSync(file, "utf8");
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    await until("the process has run", () => existsSync(join(state(id).bundle, "rootfs/tmp/ran")));
    expect(JSON.parse(succeed(["ps", "--format", "json", id]))).toContain(Number(pid));
  });

  test.runIf(isTsrunc)("--pid-file that cannot be written is refused before anything runs", () => {
    const bundle = makeBundle("touch /created");
    const place = (name: string) => join(directory(), name);
    writeFileSync(place("file"), "");
    for (const [file, words] of [
      [place("none/pid"), `its directory ${place("none")} is not there`],
      [directory(), "is a directory"],
      [place("file/pid"), "file"],
    ] as const) {
      for (const flags of [[], ["--detach"]]) {
        const { code, stderr } = tsrunc(["exec", ...flags, "--pid-file", file, id, "touch", "/tmp/untimely"]);
        expect(code).toBe(255);
        expect(stderr).toContain(`--pid-file ${file}`);
        expect(stderr).toContain(words);
        expect(refused(["run", ...flags, "--pid-file", file, "--bundle", bundle.path, newId()])).toContain(words);
      }
      expect(refused(["create", "--pid-file", file, "--bundle", bundle.path, newId()])).toContain(words);
    }
    expect(existsSync(join(state(id).bundle, "rootfs/tmp/untimely"))).toBe(false);
    expect(existsSync(join(bundle.rootfs, "created"))).toBe(false);
    // What could still be written is as before.
    expect(readFileSync(place("file"), "utf8")).toBe("");
  });

  test("options after the command belong to the command", () => {
    expect(succeed(["exec", id, "echo", "--user", "-e"])).toBe("--user -e\n");
  });

  test("refuses a command that does not exist, by name", () => {
    const { code, stderr } = tsrunc(["exec", id, "no-such-command"]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/no-such-command\\?": executable file not found in \$PATH/);
  });

  test("refuses a command that may not be executed", () => {
    const { code, stderr } = tsrunc(["exec", id, "/etc/passwd"]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/\/etc\/passwd.*permission denied/i);
  });

  test("refuses a working directory that does not exist", () => {
    const { code, stderr } = tsrunc(["exec", "--cwd", "/missing", id, "true"]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/\/missing/);
  });

  test("refuses a container that is not running", async () => {
    succeed(["kill", id, "KILL"]);
    await until("the container stops", () => state(id).status === "stopped");
    expect(tsrunc(["exec", id, "true"]).stderr).toMatch(/stopped|not running/);
  });

  test("refuses a paused container", () => {
    succeed(["pause", id]);
    const { code, stderr } = tsrunc(["exec", id, "true"]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/paused/);
    succeed(["resume", id]);
  });
});
