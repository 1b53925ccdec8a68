/** The command line that engines rely on: runc's, by convention. The spec has none. */
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { check } from "../harness/check.ts";
import { pause, type Subject, until } from "../harness/subject.ts";

const EXIT_CODE = {
  convention: "`run` and `exec` end with the exit code of the program, 128 + N when signal N ended it.",
};

for (const code of [0, 1, 42, 126, 127, 255]) {
  check(EXIT_CODE, `run ends with the program's exit code ${code}`, async (subject) => {
    const { code: found, stdout } = await subject.run(`echo ran; exit ${code}`);
    expect({ code: found, stdout }).toEqual({ code, stdout: "ran\n" });
  });
}

for (const [signal, code] of [
  ["KILL", 137],
  ["TERM", 143],
  ["SEGV", 139],
] as const) {
  check(EXIT_CODE, `run ends with ${code} when SIG${signal} ended the program`, async (subject) => {
    expect((await subject.run(["/bin/sh", "-c", `sh -c 'kill -${signal} $$'; exit $?`])).code).toBe(code);
  });
}

check(EXIT_CODE, "exec ends with the process's exit code", async (subject) => {
  const id = await subject.start();
  for (const code of [0, 3, 127]) {
    expect((await subject.command(["exec", id, "/bin/sh", "-c", `exit ${code}`])).code).toBe(code);
  }
});

check(
  { convention: "A failed command of the runtime ends with a code other than 0 and says why on stderr." },
  "an unknown command is an error",
  async (subject) => {
    await subject.refused(["no-such-command"]);
  },
);

check(
  { convention: "A failed command of the runtime ends with a code other than 0 and says why on stderr." },
  "an unknown option is an error",
  async (subject) => {
    await subject.refused(["state", "--no-such-option", "x"]);
  },
);

const PID_FILE = { convention: "`--pid-file` is written, with the pid in decimal, before the command returns." };

check(PID_FILE, "create --pid-file has the init's pid", async (subject) => {
  const file = join(subject.directory, "pid");
  const id = subject.newId();
  await subject.succeed(["create", "--bundle", subject.bundle("sleep 1000").path, "--pid-file", file, id]);
  expect(readFileSync(file, "utf8").trim()).toBe(String((await subject.state(id)).pid));
});

check(PID_FILE, "run --detach --pid-file has the init's pid", async (subject) => {
  const file = join(subject.directory, "pid");
  const id = subject.newId();
  await subject.succeed(["run", "--detach", "--bundle", subject.bundle("sleep 1000").path, "--pid-file", file, id]);
  expect(readFileSync(file, "utf8").trim()).toBe(String((await subject.state(id)).pid));
});

check(PID_FILE, "exec --detach --pid-file has the new process's pid", async (subject) => {
  const id = await subject.start();
  const file = join(subject.directory, "pid");
  await subject.succeed(["exec", "--detach", "--pid-file", file, id, "sleep", "500"]);
  const pid = Number(readFileSync(file, "utf8"));
  // Right after the call it may still be about to execute the program.
  await until("sleep 500", () => readFileSync(`/proc/${pid}/cmdline`, "utf8") === "sleep\u0000500\u0000");
});

check(
  { convention: "Without --bundle the current directory is the bundle." },
  "the bundle is the current directory by default",
  async (subject) => {
    const bundle = subject.bundle("echo here");
    const { stdout } = await subject.succeed(["run", subject.newId()], { cwd: bundle.path });
    expect(stdout).toBe("here\n");
  },
);

check({ convention: "-b is short for --bundle." }, "-b is --bundle", async (subject) => {
  const { stdout } = await subject.succeed(["run", "-b", subject.bundle("echo here").path, subject.newId()]);
  expect(stdout).toBe("here\n");
});

check(
  { convention: "`--option=value` and `--option value` are the same." },
  "--bundle=PATH is --bundle PATH",
  async (subject) => {
    const { stdout } = await subject.succeed(["run", `--bundle=${subject.bundle("echo ran").path}`, subject.newId()]);
    expect(stdout).toBe("ran\n");
  },
);

const KEEP_FDS = { convention: "`--preserve-fds N` hands descriptors 3 to 2+N on to the program." };

check(KEEP_FDS, "--preserve-fds 1 hands descriptor 3 on", async (subject) => {
  const file = join(subject.directory, "given");
  writeFileSync(file, "through descriptor 3");
  const open = openSync(file, "r");
  try {
    const args = ["run", "--preserve-fds", "1", "--bundle", subject.bundle("cat <&3").path, subject.newId()];
    expect((await subject.succeed(args, { extra: [open] })).stdout).toBe("through descriptor 3");
  } finally {
    closeSync(open);
  }
});

check(KEEP_FDS, "without --preserve-fds descriptor 3 is closed in the container", async (subject) => {
  const open = openSync("/dev/null", "r");
  try {
    const bundle = subject.bundle("[ -e /proc/self/fd/3 ] && echo open || echo closed");
    const { stdout } = await subject.succeed(["run", "--bundle", bundle.path, subject.newId()], { extra: [open] });
    expect(stdout).toBe("closed\n");
  } finally {
    closeSync(open);
  }
});

const CONSOLE = { convention: "`--console-socket` gets the terminal's master by SCM_RIGHTS." };

/** Listens as an engine does. @returns what the terminal has shown so far */
async function receiver(subject: Subject): Promise<{ socket: string; shown: () => string }> {
  const socket = join(subject.directory, "console.sock");
  const output = join(subject.directory, "console.out");
  const script = join(dirname(fileURLToPath(import.meta.url)), "../harness/console-receiver.py");
  const child = spawn("python3", [script, socket, output], { stdio: "ignore" });
  subject.afterwards(() => void child.kill("SIGKILL"));
  child.once("error", () => {});
  if (!existsSync("/usr/bin/python3") && !existsSync("/usr/local/bin/python3")) return subject.skip("needs python3");
  await until("a listening socket", () => existsSync(socket));
  return { socket, shown: () => (existsSync(output) ? readFileSync(output, "utf8") : "") };
}

check(CONSOLE, "create --console-socket sends the terminal's master", async (subject) => {
  const { socket, shown } = await receiver(subject);
  const id = subject.newId();
  const bundle = subject.bundle("tty; stty size; echo end", (spec) => {
    spec.process.terminal = true;
    spec.process["consoleSize"] = { height: 33, width: 77 };
  });
  await subject.succeed(["create", "--bundle", bundle.path, "--console-socket", socket, id]);
  await subject.succeed(["start", id]);
  await until("the program's output", () => shown().includes("end"));
  expect(shown()).toMatch(/^descriptors=1\n/);
  expect(shown()).toMatch(/\/dev\/(console|pts\/\d+)/);
  expect(shown()).toContain("33 77");
});

check(CONSOLE, "exec --tty --console-socket sends the terminal's master", async (subject) => {
  const { socket, shown } = await receiver(subject);
  const id = await subject.start();
  await subject.succeed([
    "exec",
    "--tty",
    "--detach",
    "--console-socket",
    socket,
    id,
    "sh",
    "-c",
    "test -t 0 && echo terminal",
  ]);
  await until("the program's output", () => shown().includes("terminal"));
});

check(CONSOLE, "a terminal without a console socket is refused by create", async (subject) => {
  const bundle = subject.bundle("true", (spec) => {
    spec.process.terminal = true;
  });
  await subject.refused(["create", "--bundle", bundle.path, subject.newId()]);
});

const LOG = {
  convention: "`--log` and `--log-format json` put errors into a file, as objects with level, msg and time.",
};

check(LOG, "an error is a JSON record in the log", async (subject) => {
  const file = join(subject.directory, "log.json");
  await subject.refused(["state", "does-not-exist"], { global: ["--log", file, "--log-format", "json"] });
  const records = readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(records.at(-1)).toMatchObject({
    level: "error",
    msg: expect.stringMatching(/exist/),
    time: expect.any(String),
  });
});

check(LOG, "the error is on stderr, too", async (subject) => {
  const file = join(subject.directory, "log.json");
  const { stderr } = await subject.refused(["state", "does-not-exist"], {
    global: ["--log", file, "--log-format", "json"],
  });
  expect(stderr).toMatch(/exist/);
});

check(LOG, "the words of an unknown container are those that engines look for", async (subject) => {
  const { stderr } = await subject.refused(["state", "does-not-exist"]);
  expect(stderr).toMatch(/does not exist/);
});

const EXEC = { convention: "`exec` runs another process in the container's namespaces." };

check(EXEC, "exec sees the container's processes and files", async (subject) => {
  const id = await subject.start();
  const { stdout } = await subject.succeed(["exec", id, "sh", "-c", "hostname; cat /proc/1/cmdline | tr '\\0' ' '"]);
  expect(stdout).toMatch(/^checked\n.*sleep 1000/s);
});

for (const [flags, script, expected] of [
  [["--cwd", "/tmp"], "pwd", "/tmp"],
  [["--env", "A=1", "--env", "B=2"], "echo $A$B", "12"],
  [["-e", "A=x y"], 'echo "$A"', "x y"],
  [["--user", "1000:2000"], "id -u; id -g", "1000\n2000"],
  [["-u", "1000"], "id -u", "1000"],
  [["--user", "1:2", "--additional-gids", "3"], "id -G | tr ' ' '\\n' | sort -n | tail -1", "3"],
  [["--cap", "CAP_SYS_ADMIN"], "grep CapEff /proc/self/status | grep -c 2", "1"],
] as const) {
  check(EXEC, `exec ${flags.join(" ")}`, async (subject) => {
    const id = await subject.start();
    const { stdout } = await subject.succeed(["exec", ...flags, id, "sh", "-c", script]);
    expect(stdout.trimEnd()).toBe(expected);
  });
}

check(EXEC, "exec --process takes the process from a file", async (subject) => {
  const id = await subject.start();
  const file = join(subject.directory, "process.json");
  const process = {
    cwd: "/tmp",
    args: ["sh", "-c", "pwd; echo $A"],
    env: ["PATH=/bin", "A=a"],
    user: { uid: 0, gid: 0 },
  };
  writeFileSync(file, JSON.stringify(process));
  expect((await subject.succeed(["exec", "--process", file, id])).stdout).toBe("/tmp\na\n");
});

check(EXEC, "exec in a stopped container is an error", async (subject) => {
  const id = await subject.start("true");
  await subject.untilStatus(id, "stopped");
  await subject.refused(["exec", id, "true"]);
});

check(EXEC, "exec of a program that is not there is an error", async (subject) => {
  await subject.refused(["exec", await subject.start(), "/no/such/program"]);
});

check(EXEC, "stdin reaches the process of an exec", async (subject) => {
  const id = await subject.start();
  expect((await subject.succeed(["exec", id, "cat"], { input: "given" })).stdout).toBe("given");
});

check({ convention: "`list` shows the containers of the state directory." }, "list -q has the ids", async (subject) => {
  const ids = [await subject.create(), await subject.start()];
  const { stdout } = await subject.succeed(["list", "-q"]);
  expect(stdout.trim().split("\n").sort()).toEqual([...ids].sort());
});

check(
  { convention: "`list` shows the containers of the state directory." },
  "list --format json has their states",
  async (subject) => {
    const id = await subject.create();
    const [entry] = JSON.parse((await subject.succeed(["list", "--format", "json"])).stdout);
    expect(entry).toMatchObject({ id, status: "created", pid: (await subject.state(id)).pid });
  },
);

check(
  { convention: "`ps --format json` lists the pids of a container's processes." },
  "ps --format json has the init's pid",
  async (subject) => {
    const id = await subject.start();
    expect(JSON.parse((await subject.succeed(["ps", "--format", "json", id])).stdout)).toContain(
      (await subject.state(id)).pid,
    );
  },
);

const PAUSE = { convention: "`pause` freezes all processes of a container, `resume` lets them go on." };

check(PAUSE, "a paused container does nothing, and goes on when it is resumed", async (subject) => {
  const bundle = subject.bundle("while :; do echo x >> /tmp/ticks; sleep 0.02; done");
  const id = subject.newId();
  await subject.succeed(["create", "--bundle", bundle.path, id]);
  await subject.succeed(["start", id]);
  await until("ticks", () => subject.read(bundle, "tmp/ticks") !== null);
  await subject.succeed(["pause", id]);
  expect((await subject.state(id)).status).toBe("paused");
  const before = subject.read(bundle, "tmp/ticks")?.length;
  await pause(300);
  expect(subject.read(bundle, "tmp/ticks")?.length).toBe(before);
  await subject.succeed(["resume", id]);
  expect((await subject.state(id)).status).toBe("running");
  await until("more ticks", () => (subject.read(bundle, "tmp/ticks")?.length ?? 0) > (before ?? 0));
});

check(PAUSE, "exec in a paused container is an error", async (subject) => {
  const id = await subject.start();
  await subject.succeed(["pause", id]);
  await subject.refused(["exec", id, "true"]);
  await subject.succeed(["resume", id]);
});

check(PAUSE, "pause of a stopped container is an error", async (subject) => {
  const id = await subject.start("true");
  await subject.untilStatus(id, "stopped");
  await subject.refused(["pause", id]);
});

check(
  { convention: "`delete --force` kills and deletes, and succeeds for an unknown id." },
  "delete --force of an unknown container succeeds",
  async (subject) => {
    const id = subject.newId();
    await subject.refused(["delete", id]);
    await subject.succeed(["delete", "--force", id]);
  },
);

for (const status of ["created", "running", "paused"]) {
  check(
    { convention: "`delete --force` kills and deletes, and succeeds for an unknown id." },
    `delete --force of a ${status} container succeeds`,
    async (subject) => {
      const id = status === "created" ? await subject.create() : await subject.start();
      if (status === "paused") await subject.succeed(["pause", id]);
      await subject.succeed(["delete", "--force", id]);
      await subject.refused(["state", id]);
    },
  );
}

check(
  { convention: "`spec` writes a configuration that can be run." },
  "spec writes a config.json whose container runs",
  async (subject) => {
    const bundle = subject.bundle("true");
    const { rmSync } = await import("node:fs");
    rmSync(join(bundle.path, "config.json"));
    await subject.succeed(["spec", "--bundle", bundle.path]);
    const spec = JSON.parse(readFileSync(join(bundle.path, "config.json"), "utf8"));
    spec.process.terminal = false;
    spec.process.args = ["/bin/echo", "from spec"];
    spec.process.rlimits = [];
    writeFileSync(join(bundle.path, "config.json"), JSON.stringify(spec));
    expect((await subject.succeed(["run", "--bundle", bundle.path, subject.newId()])).stdout).toBe("from spec\n");
  },
);

check(
  { convention: "`--version` prints the runtime's version and that of the spec." },
  "--version names a version and the spec's",
  async (subject) => {
    const { stdout } = await subject.succeed(["--version"]);
    expect(stdout).toMatch(/version \d+\.\d+/);
    expect(stdout).toMatch(/^spec: \d+\.\d+\.\d+/m);
  },
);

check(
  { convention: "`run --keep` leaves the container for `delete`." },
  "run leaves nothing without --keep",
  async (subject) => {
    const id = subject.newId();
    await subject.succeed(["run", "--bundle", subject.bundle("true").path, id]);
    await subject.refused(["state", id]);
  },
);

check(
  { convention: "`run --detach` returns when the program runs." },
  "run --detach returns while the program runs",
  async (subject) => {
    const id = subject.newId();
    await subject.succeed(["run", "--detach", "--bundle", subject.bundle("sleep 1000").path, id]);
    expect((await subject.state(id)).status).toBe("running");
  },
);
