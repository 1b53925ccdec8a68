import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { basename, dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  commandLine,
  commandTimeout,
  directory,
  ended,
  hasProgram,
  isTsrunc,
  makeBundle,
  newId,
  output,
  refused,
  runtime,
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

/** Runs the runtime from a shell that has opened descriptors for it. @returns its stdout */
function withDescriptors(redirections: string, args: string[], env: Record<string, string> = {}): string {
  return execFileSync("bash", ["-c", `exec "$@" ${redirections}`, "bash", ...commandLine(args)], {
    encoding: "utf8",
    env: { ...process.env, ...env },
    timeout: commandTimeout,
  });
}

/** Runs the runtime as {@link withDescriptors} does, to fail. @returns its stderr */
function withError(redirections: string, args: string[], env: Record<string, string>): string {
  const done = spawnSync("bash", ["-c", `exec "$@" ${redirections}`, "bash", ...commandLine(args)], {
    encoding: "utf8",
    env: { ...process.env, ...env },
    timeout: commandTimeout,
  });
  expect(done).toMatchObject({ status: 1, stdout: "" });
  return done.stderr;
}

/** Takes connections on a socket. */
const LISTENER =
  "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen()\nwhile 1: s.accept()";

/** Lists the shell's descriptors; the second command keeps the shell from becoming the first. */
const listing = "ls /proc/$$/fd; true";

describe("descriptors in the container", () => {
  test("are stdin, stdout and stderr alone", () => {
    expect(output(listing).split("\n")).toEqual(["0", "1", "2"]);
  });

  test("of the caller do not leak in", () => {
    const bundle = makeBundle(listing);
    const shown = withDescriptors("5</etc/passwd 9</etc/group", ["run", "--bundle", bundle.path, newId()]);
    expect(shown).toBe("0\n1\n2\n");
  });

  test("of an exec are its three alone", () => {
    expect(succeed(["exec", startDetached(), "sh", "-c", listing])).toBe("0\n1\n2\n");
  });

  test("of the init that waits for start lead to nothing of the host's but its streams", () => {
    const id = newId();
    succeed(["create", "--bundle", makeBundle("true").path, id]);
    const { pid } = state(id);
    const directories = execFileSync("bash", ["-c", `for fd in /proc/${pid}/fd/*; do stat -Lc '%F' $fd; done`], {
      encoding: "utf8",
    });
    expect(directories).not.toContain("block special file");
  });

  test("of the caller do not leak into the hooks of any command", () => {
    const bundle = makeBundle("sleep 1000", (config, { path }) => {
      for (const kind of ["poststart", "poststop"] as const) {
        const args = ["sh", "-c", `exec > ${path}/${kind}; ls /proc/$$/fd; true`];
        config.hooks[kind] = [{ path: "/bin/sh", args, env: ["PATH=/usr/bin:/bin"] }];
      }
    });
    const id = newId();
    succeed(["create", "--bundle", bundle.path, id]);
    const opened = "5</etc/passwd 9</etc/group";
    withDescriptors(opened, ["start", id]);
    withDescriptors(opened, ["delete", "--force", id]);
    for (const kind of ["poststart", "poststop"]) {
      expect(readFileSync(join(bundle.path, kind), "utf8")).toBe("0\n1\n2\n");
    }
  });

  test("asked for with --preserve-fds are passed, and no more", () => {
    const bundle = makeBundle(`cat <&3; cat <&4; ${listing}`);
    const first = join(directory(), "first");
    const second = join(directory(), "second");
    writeFileSync(first, "one\n");
    writeFileSync(second, "two\n");
    const shown = withDescriptors(`3<${first} 4<${second} 5</etc/passwd`, [
      "run",
      "--preserve-fds",
      "2",
      "--bundle",
      bundle.path,
      newId(),
    ]);
    expect(shown).toBe("one\ntwo\n0\n1\n2\n3\n4\n");
  });

  test("of LISTEN_FDS are passed, LISTEN_PID being 1", () => {
    const bundle = makeBundle("cat <&3; echo $LISTEN_FDS $LISTEN_PID");
    const file = join(directory(), "file");
    writeFileSync(file, "text\n");
    const args = commandLine(["run", "--bundle", bundle.path, newId()]);
    // LISTEN_PID names the process that the descriptors are for: bash becomes it.
    const script = `exec env LISTEN_FDS=1 LISTEN_PID=$$ "$@" 3<${file}`;
    const { stdout } = spawnSync("bash", ["-c", script, "bash", ...args], {
      encoding: "utf8",
      timeout: commandTimeout,
    });
    expect(stdout).toBe("text\n1 1\n");
  });

  // crun takes them so, and runc passes none.
  test.runIf(isTsrunc)("of LISTEN_FDS are passed without LISTEN_PID, and not with that of another process", () => {
    const bundle = makeBundle(`echo "$LISTEN_FDS:$LISTEN_PID"`);
    const listen = (env: Record<string, string>) =>
      withDescriptors("3</dev/null", ["run", "--bundle", bundle.path, newId()], { LISTEN_FDS: "1", ...env });
    expect(listen({})).toBe("1:1\n");
    expect(listen({ LISTEN_PID: "1" })).toBe(":\n");
  });

  // What was announced and not open was the runtime's own by the time of the fork: directories of the host's cgroups,
  // through which a container without any capability read and wrote the host's files.
  test.runIf(isTsrunc)("of LISTEN_FDS that are not open are an error", () => {
    const bundle = makeBundle(listing);
    for (let announced = 1; announced <= 12; announced++) {
      const env = { LISTEN_FDS: String(announced) };
      expect(refused(["run", "--bundle", bundle.path, newId()], { env })).toContain("descriptor 3 is not open");
    }
    const env = { LISTEN_FDS: "2" };
    expect(withError("3</dev/null", ["run", "--bundle", bundle.path, newId()], env)).toContain(
      "descriptor 4 is not open",
    );
    const id = startDetached();
    expect(tsrunc(["exec", id, "true"], { env })).toMatchObject({
      code: 255,
      stderr: expect.stringMatching(/LISTEN_FDS=2: descriptor 3 is not open/),
    });
  });

  test.runIf(isTsrunc)("that the runtime opens for itself do not pass for the caller's", () => {
    const log = ["--log", join(directory(), "log")];
    const socket = join(directory(), "pidfd.sock");
    const server = spawn("python3", ["-c", LISTENER, socket], { stdio: "ignore" });
    try {
      execFileSync("bash", ["-c", `until [ -S ${socket} ]; do sleep 0.02; done`]);
      const id = startDetached();
      for (const env of [{ LISTEN_FDS: "1" }, {}] as Record<string, string>[]) {
        const flags = "LISTEN_FDS" in env ? [] : ["--preserve-fds", "1"];
        const options = { env, global: log };
        const run = ["run", ...flags, "--bundle", makeBundle(listing).path, newId()];
        expect(refused(run, options)).toContain("descriptor 3 is not open");
        const exec = ["exec", ...flags, "--pidfd-socket", socket, id, "true"];
        expect(tsrunc(exec, options)).toMatchObject({ code: 255, stderr: expect.stringContaining("3 is not open") });
      }
    } finally {
      server.kill();
    }
  });

  test.runIf(isTsrunc).each(["-1", "0.5", "1e9", "0x5", " 1", "1 ", "one", "99999999999"])(
    "of LISTEN_FDS=%j are an error",
    (count) => {
      const args = ["run", "--bundle", makeBundle(listing).path, newId()];
      expect(withError("3</dev/null", args, { LISTEN_FDS: count })).toMatch(/LISTEN_FDS=.*: expected the number/);
    },
  );
});

test("NOTIFY_SOCKET is bound into the container, and what the process sends arrives", async () => {
  const path = join(directory(), "notify.sock");
  const server = await listenDatagram(path);
  const bundle = makeBundle("test -S $NOTIFY_SOCKET && echo $NOTIFY_SOCKET");
  try {
    const shown = succeed(["run", "--bundle", bundle.path, newId()], { env: { NOTIFY_SOCKET: path } });
    expect(shown.trim()).toMatch(/^\/.*notify/);
  } finally {
    server.close();
  }
});

/** Does something with datagrams, from outside of any container. */
function python(script: string, ...args: string[]): ChildProcess {
  return spawn("python3", [
    "-c",
    `import socket, sys\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n${script}`,
    ...args,
  ]);
}

describe.runIf(isTsrunc && hasProgram("python3"))("NOTIFY_SOCKET of a run in the foreground", () => {
  const script = 'trap "exit 7" TERM; touch /up; while :; do sleep 0.05; done';

  async function runNotified(path: string, ...global: string[]) {
    const [id, bundle] = [newId(), makeBundle(script)];
    const child = spawnTsrunc([...global, "run", "--bundle", bundle.path, id], { NOTIFY_SOCKET: path });
    await until("the process runs", () => existsSync(join(bundle.rootfs, "up")));
    return {
      child,
      say: (words: string) =>
        python(`s.sendto(${JSON.stringify(words)}.encode(), sys.argv[1])`, join(stateRoot(), id, "notify/notify.sock")),
    };
  }

  test("does not keep signals from a process that never says that it is ready", async () => {
    const { child } = await runNotified(join(directory(), "manager"));
    child.kill("SIGTERM");
    expect(await ended(child)).toBe(7);
  });

  test("hears that it is ready, and that the command stays the main process", async () => {
    const [path, heard] = [join(directory(), "manager"), join(directory(), "heard")];
    const manager = python(
      "s.bind(sys.argv[1])\nwhile True: open(sys.argv[2], 'ab', 0).write(s.recv(4096))",
      path,
      heard,
    );
    try {
      await until("the manager listens", () => existsSync(path));
      const { child, say } = await runNotified(path);
      say("STATUS=starting");
      say("STATUS=up\nREADY=1");
      await until("it hears", () => existsSync(heard) && readFileSync(heard, "utf8").includes("MAINPID"));
      expect(readFileSync(heard, "utf8")).toBe(`READY=1\nMAINPID=${child.pid}\n`);
      child.kill("SIGTERM");
      expect(await ended(child)).toBe(7);
    } finally {
      manager.kill("SIGKILL");
    }
  });

  test("that nobody listens on is warned of, and ends no container", async () => {
    const log = join(directory(), "log");
    const { child, say } = await runNotified(join(directory(), "nobody"), "--log", log);
    say("READY=1");
    await until("the warning", () => existsSync(log) && readFileSync(log, "utf8").includes("NOTIFY_SOCKET"));
    child.kill("SIGTERM");
    expect(await ended(child)).toBe(7);
  });
});

function listenDatagram(path: string): Promise<Server> {
  const server = createServer();
  return new Promise((done) => server.listen(path, () => done(server)));
}

describe("the runtime's executable", () => {
  /** Of all that the runtime consists of: a container reaches the engine, which is beside the launcher. */
  function digests(): string[] {
    const path = realpathSync(runtime);
    const files = readdirSync(dirname(path)).filter((name) => name.startsWith(basename(path)));
    return files.map((name) => {
      const digest = createHash("sha256").update(readFileSync(join(dirname(path), name)));
      return `${name} ${digest.digest("hex")}`;
    });
  }

  test("cannot be written from a container that runs it as its process (CVE-2019-5736)", () => {
    const before = digests();
    // The link makes the runtime execute itself inside; whatever process holds it, writing through it must fail.
    const bundle = makeBundle(["/proc/self/exe", "--version"], ({ mounts }) => {
      // An engine that is no snapshot is linked dynamically.
      for (const path of ["/usr/lib", "/lib", "/lib64"].filter(existsSync))
        mounts.push({ destination: path, type: "bind", source: path, options: ["rbind", "ro"] });
    });
    const { stdout, stderr } = tsrunc(["run", "--bundle", bundle.path, newId()]);
    // It says who it is, and so has been executed.
    expect(stdout + stderr).toMatch(/this is the engine|version/);
    expect(digests()).toEqual(before);
  });

  test("cannot be opened for writing by root, through the init that waits for start", () => {
    const id = newId();
    succeed(["create", "--bundle", makeBundle("true").path, id]);
    const { pid } = state(id);
    const before = digests();
    const attempt = spawnSync("bash", ["-c", `: >> /proc/${pid}/exe`], { encoding: "utf8" });
    expect(attempt.status).not.toBe(0);
    expect(attempt.stderr).toMatch(/Read-only file system|Text file busy|Permission denied/);
    expect(digests()).toEqual(before);
  });

  test("cannot be written through an exec's process", () => {
    const id = startDetached("sleep 1000", (config) => {
      for (const set of ["bounding", "effective", "permitted"] as const) {
        config.process.capabilities[set]?.push("CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE");
      }
    });
    const script =
      "i=0; while [ $i -lt 200 ]; do for exe in /proc/[0-9]*/exe; do " +
      'case $(readlink $exe) in *busybox) ;; *) (: >> $exe) 2>/dev/null && echo "wrote $exe";; esac; done; i=$((i+1)); done';
    succeed(["exec", "--detach", id, "sh", "-c", `(${script}) > /tmp/attack; echo > /tmp/done`]);
    const { bundle } = state(id);
    const before = digests();
    for (let attempt = 0; attempt < 10; attempt++) succeed(["exec", id, "true"]);
    const attack = join(bundle, "rootfs/tmp/attack");
    expect(existsSync(attack) ? readFileSync(attack, "utf8") : "").toBe("");
    expect(digests()).toEqual(before);
  });
});
