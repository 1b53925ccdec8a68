/** What people who come from other engines do with containers, out of habit. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { hasProgram, runtime } from "./harness.ts";
import { list, must, one, scratch, tsrunc, until, useNamedContainers } from "./named.ts";

useNamedContainers();

/** A command whose stdout, or stderr, is a pipe whose only reader has gone. */
function unread(descriptor: 1 | 2, ...[group = "", name = "", ...args]: string[]) {
  const script = `mkfifo "$0"; exec 3<> "$0" 4> "$0" 3<&-; rm "$0"; exec "$@" ${descriptor}>&4`;
  const words = [runtime, "--root", scratch.at("run"), group, name, "--store", scratch.at("store"), ...args];
  const { status, stdout, stderr } = spawnSync("sh", ["-c", script, scratch.at("fifo"), ...words], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  return { code: status, stdout, stderr };
}

/** Both ways in which a container is run in the foreground. */
const WAYS: [string, string[]][] = [
  ["one that nobody names", []],
  ["one with a name", ["--rm", "--name", "named"]],
];

describe.each(WAYS)("in the foreground, %s", (_, way) => {
  test("gets the signals that its command gets", async () => {
    for (const signal of ["SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCONT"] as const) {
      const name = signal.slice(3);
      const script = `trap 'echo got; exit 7' ${name}; echo up; while :; do sleep 0.05; done`;
      const there = ["--root", scratch.at("run"), "image", "run", "--store", scratch.at("store"), ...way];
      const child = spawn(runtime, [...there, "demo", "sh", "-c", script], { stdio: ["ignore", "pipe", "inherit"] });
      let output = "";
      child.stdout.on("data", (chunk) => (output += chunk));
      const ended = new Promise((settle) => child.on("close", (code, by) => settle([code, by])));
      await until(() => output.includes("up"));
      child.kill(signal);
      expect([signal, await ended]).toEqual([signal, [7, null]]);
      expect(output).toBe("up\ngot\n");
    }
  });

  test("knows its own name, and localhost", () => {
    const run = ["image", "run", ...way, "--hostname", "me", "demo", "cat", "/etc/hosts"];
    expect(must(run)).toBe("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tme\n");
    writeFileSync(scratch.at("mine"), "of mine\n");
    expect(must(["image", "run", ...way, "-v", `${scratch.at("mine")}:/etc/hosts`, "demo", "cat", "/etc/hosts"])).toBe(
      "of mine\n",
    );
    // Nothing is made in a directory that is mounted read-only.
    mkdirSync(scratch.at("etc"));
    expect(must(["image", "run", ...way, "-v", `${scratch.at("etc")}:/etc:ro`, "demo", "ls", "/etc"])).toBe("");
    const write = "echo more >> /etc/hosts && echo written";
    expect(must(["image", "run", ...way, "demo", "sh", "-c", write])).toBe("written\n");
    expect(tsrunc(["image", "run", ...way, "--read-only", "demo", "sh", "-c", write]).code).not.toBe(0);
  });

  test("on the host's network asks whom the host asks, and knows the host's hosts", (context) => {
    if (!existsSync("/etc/resolv.conf")) context.skip("the host has no resolver");
    const run = ["image", "run", ...way, "--network", "host", "demo", "cat"];
    expect(must([...run, "/etc/resolv.conf"])).toBe(readFileSync("/etc/resolv.conf", "utf8"));
    if (existsSync("/etc/hosts")) expect(must([...run, "/etc/hosts"])).toContain(readFileSync("/etc/hosts", "utf8"));
  });

  test("has mounts within one another, in whichever order they are given", () => {
    for (const name of ["outer", "inner"]) {
      mkdirSync(scratch.at(name));
      writeFileSync(scratch.at(`${name}/${name}`), "");
    }
    mkdirSync(scratch.at("outer/in"));
    const [outer, inner] = [`${scratch.at("outer")}:/m`, `${scratch.at("inner")}:/m/in`];
    for (const volumes of [
      ["-v", outer, "-v", inner],
      ["-v", inner, "-v", outer],
      ["-v", inner, "-v", "/m"],
      ["-v", "kept:/m/in/more", "-v", inner, "-v", outer],
    ])
      expect(must(["image", "run", ...way, ...volumes, "demo", "ls", "/m/in"])).toMatch(/^inner\n/);
    must(["image", "run", ...way, "-v", "kept:/m/in", "-v", outer, "demo", "touch", "/m/in/of-volume"]);
    expect(must(["image", "run", ...way, "-v", outer, "-v", "kept:/m/in", "demo", "ls", "/m/in"])).toBe("of-volume\n");
  });

  test("has volumes that nobody names, and paths counted from where one is", () => {
    expect(must(["image", "run", ...way, "-v", "/data", "demo", "cat", "/data/seed"])).toBe("from the image\n");
    mkdirSync(scratch.at("here"));
    writeFileSync(scratch.at("here/file"), "");
    const there = ["--root", scratch.at("run"), "image", "run", "--store", scratch.at("store"), ...way];
    for (const [cwd, source] of [
      [scratch.path, "./here"],
      [scratch.at("here"), "."],
      [scratch.at("rootfs"), "../here"],
    ] as const) {
      const ran = spawnSync(runtime, [...there, "-v", `${source}:/m`, "demo", "ls", "/m"], { cwd, encoding: "utf8" });
      expect([ran.stdout, ran.stderr]).toEqual(["file\n", expect.anything()]);
    }
  });

  test("is the same for a caller who keeps files from others", () => {
    const script = [
      'for path in /data /made /wd /wd/in /etc/hosts; do test -r "$path" || echo "$path"; done',
      "ls /data /made /wd/in",
      "umask",
    ].join("; ");
    const there = ["--root", scratch.at("run"), "image", "run", "--store", scratch.at("store"), ...way];
    const run = [...there, "-v", "/data", "-v", "/made", "-w", "/wd/in", "--user", "app", "demo", "sh", "-c", script];
    const { stdout, stderr } = spawnSync("sh", ["-c", 'umask 077; exec "$0" "$@"', runtime, ...run], {
      encoding: "utf8",
    });
    expect([stdout, stderr]).toEqual(["/data:\nseed\n\n/made:\n\n/wd/in:\n0022\n", expect.anything()]);
  });

  test("has the tmpfs, the shared memory and the capabilities that are asked for", () => {
    const script = "grep -E ' /(t|dev/shm) ' /proc/mounts; grep -E 'Cap(Eff|Bnd)' /proc/self/status";
    const options = ["--tmpfs", "/t:size=1m", "--shm-size", "2m", "--cap-drop", "ALL", "--cap-add", "kill"];
    const output = must(["image", "run", ...way, ...options, "demo", "sh", "-c", script]);
    expect(output).toMatch(/^tmpfs \/t tmpfs rw,nosuid,nodev,noexec,.*size=1024k/m);
    expect(output).toMatch(/ \/dev\/shm tmpfs .*size=2048k/);
    expect(output).toMatch(/CapEff:\s+0{14}20\nCapBnd:\s+0{14}20\n/);
    expect(tsrunc(["image", "run", ...way, "--tmpfs", "/t", "-v", "/t", "demo", "true"]).stderr).toContain(
      "have the destination /t",
    );
  });

  test("has no limit where none is asked for", () => {
    const none = ["--memory", "0", "--cpus", "0", "--pids-limit"];
    for (const pids of ["-1", "0"])
      expect(must(["image", "run", ...way, ...none, pids, "demo", "echo", "ran"])).toBe("ran\n");
  });
});

test("whose output nobody reads any more goes on, and its command ends as one by SIGPIPE", async () => {
  const there = `"${runtime}" --root "${scratch.at("run")}" image run --store "${scratch.at("store")}"`;
  const line = `{ ${there} --name loud demo yes; echo $? >&2; } | head -n 1`;
  const { stdout, stderr } = spawnSync("sh", ["-c", line], { encoding: "utf8", timeout: 60_000 });
  expect([stdout, stderr.trim().split("\n").at(-1)]).toEqual(["y\n", "141"]);
  expect(one("loud")?.status).toBe("running");
  must(["container", "rm", "--force", "loud"]);
});

test("whose command was killed keeps nothing of that open", async () => {
  const there = ["--root", scratch.at("run"), "image", "run", "--store", scratch.at("store"), "--name", "web", "demo"];
  const child = spawn(runtime, [...there, "sh", "-c", "echo up; sleep 1000"], { stdio: ["ignore", "pipe", "pipe"] });
  const closed = new Promise((settle) => child.on("close", settle));
  child.stderr.resume();
  await new Promise((settle) => child.stdout.on("data", settle));
  child.kill("SIGKILL");
  await closed;
  expect(one("web")?.status).toBe("running");
});

test("can open its output by a name where the caller gave sockets, as Node and systemd do", async () => {
  const there = ["--root", scratch.at("run"), "image", "run", "--quiet", "--store", scratch.at("store"), "demo"];
  const child = spawn(runtime, [
    ...there,
    "sh",
    "-c",
    "echo out > /dev/stdout; echo err > /dev/stderr; seq 20000; exit 7",
  ]);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk) => (stdout += chunk));
  child.stderr.on("data", (chunk) => (stderr += chunk));
  const code = await new Promise((settle) => child.on("close", settle));
  expect({ code, stderr, lines: stdout.split("\n").length }).toEqual({ code: 7, stderr: "err\n", lines: 20_002 });
  expect(stdout).toMatch(/^out\n1\n/);
});

test("keeps the order of its output where stdout and stderr are one socket", async () => {
  const there = `"${runtime}" --root "${scratch.at("run")}" image run --quiet --store "${scratch.at("store")}"`;
  const script = "for n in $(seq 1 2 99); do echo $n; echo $((n + 1)) >&2; done";
  const child = spawn("sh", ["-c", `exec ${there} demo sh -c '${script}' 2>&1`]);
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  await new Promise((settle) => child.on("close", settle));
  expect(output.trim().split("\n").map(Number)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
});

test("a variable without a value is the caller's in exec, too", () => {
  must(["image", "run", "-d", "--name", "web", "demo"]);
  const there = ["--root", scratch.at("run"), "container", "exec", "--store", scratch.at("store")];
  const exec = (...options: string[]) =>
    spawnSync(runtime, [...there, ...options, "web", "sh", "-c", 'echo "$GIVEN-$UNSET"'], {
      encoding: "utf8",
      env: { ...process.env, GIVEN: "here" },
    });
  expect(exec("-e", "GIVEN", "-e", "UNSET").stdout).toBe("here-\n");
  expect(exec("-e", "GIVEN", "--user", "app").stdout).toBe("here-\n");
  expect(exec("-e", "=x").stderr).toMatch(/--env \\"=x\\": NAME=VALUE is right/);
});

test("a process of exec has the umask of the container, not the caller's", () => {
  must(["image", "run", "-d", "--name", "web", "demo"]);
  const there = ["--root", scratch.at("run"), "container", "exec", "--store", scratch.at("store")];
  for (const user of [[], ["--user", "app"]]) {
    const exec = [runtime, ...there, ...user, "web", "sh", "-c", "umask"];
    expect(spawnSync("sh", ["-c", 'umask 077; exec "$0" "$@"', ...exec], { encoding: "utf8" }).stdout).toBe("0022\n");
  }
});

describe.skipIf(!hasProgram("pasta"))("a port that is published at all addresses", () => {
  test.each(existsSync("/proc/net/if_inet6") ? ["0.0.0.0", "::"] : ["0.0.0.0"])(
    "is refused where somebody listens at %s alone",
    async (address) => {
      const server = createServer().listen({ host: address, port: 0, ipv6Only: true });
      await new Promise((settle) => server.once("listening", settle));
      try {
        const { port } = server.address() as { port: number };
        const { code, stderr } = tsrunc(["image", "run", "-q", "-d", "-p", `${port}:80`, "demo"]);
        expect([code, stderr]).toEqual([
          1,
          expect.stringContaining(`the host's tcp port ${port} is in use already at`),
        ]);
        expect(stderr.trim().split("\n")).toHaveLength(1);
        // That of UDP is another one.
        must(["image", "run", "-q", "-d", "--name", "udp", "-p", `${port}:80/udp`, "demo"]);
        for (let times = 0; times < 3; times++) {
          must(["container", "stop", "--time", "0", "udp"]);
          must(["container", "start", "udp"]);
        }
        expect(tsrunc(["image", "run", "-q", "-d", "-p", `${port}:80/udp`, "demo"]).stderr).toContain("udp port");
      } finally {
        server.close();
      }
    },
  );
});

test("a terminal's lines end in one carriage return, as they do without a name", (context) => {
  if (!hasProgram("python3")) context.skip("python3 is not there");
  const there = [runtime, "--root", scratch.at("run"), "image", "run", "-q", "--store", scratch.at("store"), "-it"];
  // In its own terminal: what comes after the sleep comes when the command has made that raw.
  const ran = ["demo", "sh", "-c", "sleep 1; echo one; echo two"];
  const script = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
  for (const way of [[], ["--rm", "--name", "named"]]) {
    const { stdout } = spawnSync("python3", ["-c", script, ...there, ...way, ...ran], { encoding: "utf8", input: "" });
    expect([way, stdout]).toEqual([way, "one\r\ntwo\r\n"]);
  }
});

test("several are stopped at once, not one after the other", async () => {
  // The one ends only when the other has: it would be killed if that were stopped after it.
  mkdirSync(scratch.at("shared"));
  const run = ["image", "run", "-d", "-v", `${scratch.at("shared")}:/s`, "--stop-timeout", "60"];
  const after =
    "trap 'while ! test -e /s/mark; do sleep 0.05; done; exit 3' USR1; touch /s/up; while :; do sleep 0.05; done";
  const first = "trap 'touch /s/mark; exit 4' USR1; touch /s/up2; while :; do sleep 0.05; done";
  must([...run, "--name", "after", "demo", "sh", "-c", after]);
  must([...run, "--name", "first", "demo", "sh", "-c", first]);
  await until(() => existsSync(scratch.at("shared/up")) && existsSync(scratch.at("shared/up2")));
  const { code, stdout, stderr } = tsrunc(["container", "stop", "after", "nosuch", "first", "after"]);
  expect([code, stdout]).toEqual([1, "after\nfirst\nafter\n"]);
  expect(stderr).toMatch(/no such container: nosuch/);
  expect([one("after")?.exitCode, one("first")?.exitCode]).toEqual([3, 4]);
});

test("an id is not written down of a container that is not there", () => {
  const file = scratch.at("id");
  for (const run of [
    ["-d", "demo", "nosuch"],
    ["demo", "nosuch"],
    ["--name", "x", "--user", "nosuch", "demo"],
  ]) {
    expect(tsrunc(["image", "run", "--cidfile", file, ...run]).code).not.toBe(0);
    expect([run, existsSync(file), list()]).toEqual([run, false, []]);
  }
  // One that is kept has it, and its file is not taken by another.
  expect(tsrunc(["image", "run", "--cidfile", file, "--name", "kept", "demo", "nosuch"]).code).not.toBe(0);
  expect(readFileSync(file, "utf8")).toBe(one("kept")?.id);
  expect(tsrunc(["image", "run", "--cidfile", file, "--name", "kept", "demo"]).code).not.toBe(0);
  expect(tsrunc(["image", "run", "--cidfile", file, "--name", "other", "demo"]).code).not.toBe(0);
  expect(readFileSync(file, "utf8")).toBe(one("kept")?.id);
  expect(tsrunc(["image", "run", "--cidfile", "/nosuch/id", "demo"]).stderr).toMatch(/--cidfile \/nosuch\/id: ENOENT/);
});

test.each([
  ["--workdir", "rel", /--workdir \\"rel\\": an absolute path is expected/],
  ["--hostname", "a b", /--hostname \\"a b\\": up to 64 characters/],
  ["--hostname", "x".repeat(65), /--hostname .*: up to 64 characters/],
  ["--cpus", "0.001", /--cpus \\"0.001\\": a number of 0.01 or more/],
  ["--cpus", "x", /--cpus \\"x\\": a number of 0.01 or more/],
  ["--pids-limit", "-2", /--pids-limit \\"-2\\": a number above 0/],
  ["--volume", "/", /--volume \\"\/\\": the destination must not be \//],
  ["--volume", "rel/x:/m", /no path that begins with \/ or .\//],
])("%s %s is refused in one line", (option, value, message) => {
  const { code, stderr } = tsrunc(["image", "run", option, value, "demo", "true"]);
  expect([code, stderr]).toEqual([1, expect.stringMatching(message)]);
  expect(stderr.trim().split("\n")).toHaveLength(1);
});

test("what is empty is as if it was not given", () => {
  must(["image", "import", "--change", "USER app", scratch.at("rootfs"), "user"]);
  const run = ["image", "run", "--user", "", "--workdir", "", "--hostname", "", "user", "sh", "-c", "echo $HOME; pwd"];
  expect(must(run)).toBe("/home\n/\n");
});

describe("output that nobody reads", () => {
  test("ends logs and archives on stdout without a word, as SIGPIPE would", () => {
    must(["image", "run", "--quiet", "--name", "talk", "demo", "sh", "-c", "seq 20000; seq 20000 >&2"]);
    const ended = { code: 141, stdout: "", stderr: "" };
    expect(unread(1, "image", "save", "--output", "-", "demo")).toEqual(ended);
    expect(unread(1, "image", "save", "--format", "docker-archive", "--output", "-", "demo")).toEqual(ended);
    expect(unread(1, "image", "inspect", "demo")).toEqual(ended);
    expect(unread(1, "container", "logs", "talk")).toMatchObject({ code: 141, stderr: "" });
    expect(unread(1, "container", "logs", "--follow", "talk")).toMatchObject({ code: 141, stderr: "" });
    // What it says on stderr is asked for, too.
    expect(unread(2, "container", "logs", "talk")).toMatchObject({ code: 141 });
    mkdirSync(scratch.at("context"));
    writeFileSync(scratch.at("context/Dockerfile"), "FROM demo\nENV a=b\n");
    const build = ["image", "build", "--quiet", "--output", "type=tar,dest=-", scratch.at("context")];
    expect(unread(1, ...build)).toEqual(ended);
  });

  test("keeps nobody from what there is to do", () => {
    for (const name of ["one", "two"]) must(["image", "run", "--quiet", "--detach", "--name", name, "demo"]);
    expect(unread(1, "container", "stop", "--time", "0", "one", "two")).toEqual({ code: 141, stdout: "", stderr: "" });
    expect(list().map(({ status }) => status)).toEqual(["exited", "exited"]);
    expect(unread(1, "container", "rm", "one", "absent", "two")).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/msg="no such container: absent/),
    });
    expect(list()).toEqual([]);
    for (const name of ["v", "w"]) must(["volume", "create", name]);
    expect(unread(1, "volume", "rm", "v", "w")).toEqual({ code: 141, stdout: "", stderr: "" });
    expect(must(["volume", "list", "--quiet"])).toBe("");
    mkdirSync(scratch.at("context"));
    writeFileSync(scratch.at("context/Dockerfile"), "FROM demo\nRUN echo built\n");
    expect(unread(2, "image", "build", "--tag", "built", scratch.at("context"))).toMatchObject({ code: 0 });
    // Where stdout is the archive's, the id is said on stderr.
    const archive = ["--output", "type=tar,dest=-", scratch.at("context")];
    expect(unread(2, "image", "build", ...archive)).toMatchObject({ code: 0 });
  });

  test("is an error where stdout is closed: a result would be lost", () => {
    must(["image", "run", "--quiet", "--name", "talk", "demo", "echo", "hi"]);
    for (const command of ["container logs talk", "image save --output - demo"]) {
      const [group, name, ...args] = command.split(" ");
      const all = ["--root", scratch.at("run"), group, name, "--store", scratch.at("store"), ...args].join(" ");
      const { status, stderr } = spawnSync("sh", ["-c", `exec ${runtime} ${all} >&-`], { encoding: "utf8" });
      expect({ command, status }).toEqual({ command, status: 1 });
      expect(stderr).toMatch(/msg="write to standard output: EBADF: bad file descriptor"\n$/);
    }
  });
});
