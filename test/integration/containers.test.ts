/** Containers with a name, as a person uses them: made, stopped, started, looked at, removed; and what is killed in between. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { setWindowSize } from "../../src/sys/tty.ts";
import { openTerminal, readAll, whyNoTerminal } from "../support/terminal.ts";
import { hasProgram, runtime } from "./harness.ts";
import { type Listed, list, monitorOf, must, one, scratch, tsrunc, until, useNamedContainers } from "./named.ts";

useNamedContainers();

describe("a container's life", () => {
  test("stops by the image's signal, keeps its exit code and what it wrote, and starts again as it was", () => {
    const script =
      "trap 'exit 7' USR1; echo started; test -e /mark && echo again; touch /mark; while :; do sleep 0.05; done";
    const id = must(["image", "run", "--detach", "--name", "web", "demo", "sh", "-c", script]).trim();
    expect(one("web")).toMatchObject({ id, status: "running", exitCode: null });
    // By name and by the beginning of its id, and by its name for the runtime.
    expect(must(["container", "exec", id.slice(0, 8), "sh", "-c", "echo $0", "inside"])).toBe("inside\n");
    const state = execFileSync(runtime, ["--root", scratch.at("run"), "state", "web"], { encoding: "utf8" });
    expect(JSON.parse(state)).toMatchObject({ id: "web", status: "running" });
    // The runtime that it executes logs where it was told to.
    const log = scratch.at("log");
    const inStore = ["container", "exec", "--store", scratch.at("store"), "web", "nosuch"];
    expect(spawnSync(runtime, ["--log", log, "--log-format", "json", ...inStore]).status).toBe(255);
    expect(JSON.parse(readFileSync(log, "utf8"))).toMatchObject({
      level: "error",
      msg: expect.stringContaining("nosuch"),
    });

    expect(must(["container", "stop", "web"])).toBe("web\n");
    expect(one("web")).toMatchObject({ status: "exited", exitCode: 7, pid: 0 });
    expect(must(["container", "stop", "web"])).toBe("web\n");
    must(["container", "start", "web"]);
    must(["container", "start", "web"]);
    expect(one("web")?.status).toBe("running");
    must(["container", "stop", "web"]);
    expect(must(["container", "logs", "web"])).toBe("started\nstarted\nagain\n");
    must(["container", "rm", "web"]);
    expect(list()).toEqual([]);
  });

  test("is waited for, by its exit code, and writes its id down before it is made", () => {
    const idFile = scratch.at("id");
    const run = ["image", "run", "--cidfile", idFile];
    const id = must([...run, "--detach", "--name", "short", "demo", "sh", "-c", "sleep 0.3; exit 6"]).trim();
    expect(readFileSync(idFile, "utf8")).toBe(id);
    expect(must(["container", "wait", "short", id])).toBe("6\n6\n");
    expect(tsrunc([...run, "--name", "other", "demo"]).stderr).toMatch(/--cidfile .*id: there is such a file already/);
    expect(tsrunc(["container", "wait", "nosuch"])).toMatchObject({ code: 1, stdout: "" });
    // One that is removed when it has ended, and one that nobody named.
    must(["image", "run", "--detach", "--rm", "--name", "gone", "demo", "sh", "-c", "sleep 0.5; exit 5"]);
    expect(must(["container", "wait", "gone"])).toMatch(/^(5|unknown)\n$/);
    expect(must(["image", "run", "--cidfile", scratch.at("unnamed"), "demo", "echo", "x"])).toBe("x\n");
    expect(readFileSync(scratch.at("unnamed"), "utf8")).toMatch(/^[0-9a-f]{64}$/);
    must(["container", "rm", "short"]);
    expect(list()).toEqual([]);
  });

  test("runs from a store that a symlink leads to, and is found by either name", () => {
    symlinkSync(scratch.at("store"), scratch.at("link"));
    const there = ["--root", scratch.at("run"), "image", "run", "--store", scratch.at("link")];
    const started = spawnSync(runtime, [...there, "--detach", "--name", "linked", "demo"], { encoding: "utf8" });
    expect(started.status, started.stderr).toBe(0);
    expect(one("linked")?.status).toBe("running");
    must(["container", "rm", "--force", "linked"]);
    expect(execFileSync(runtime, ["--root", scratch.at("run"), "list", "-q"], { encoding: "utf8" })).toBe("");
  });

  test("has another user's process with that user's groups alone, and the variables that were asked for", () => {
    must(["image", "import", "--change", "USER app", scratch.at("rootfs"), "apps"]);
    must(["image", "run", "--detach", "--name", "roots", "demo"]);
    must(["image", "run", "--detach", "--name", "apps", "apps", "/bin/sleep", "100"]);
    const groups = (name: string, ...options: string[]) =>
      must([
        "container",
        "exec",
        ...options,
        name,
        "sh",
        "-c",
        "while read key value; do test $key = Groups: && echo $value; done < /proc/self/status; true",
      ]).trim();
    expect(groups("roots")).toBe("0");
    expect(groups("roots", "--user", "app")).toBe("1000");
    expect(groups("roots", "--user", "5")).toBe("0");
    expect(groups("apps")).toBe("1000");
    expect(groups("apps", "--user", "root")).toBe("0");
    const say = (...options: string[]) =>
      must(
        [
          "container",
          "exec",
          "--user",
          "app",
          "--workdir",
          "/data",
          ...options,
          "roots",
          "sh",
          "-c",
          "cat; pwd; echo $HOME $X",
        ],
        "in\n",
      );
    expect(say()).toBe("/data\n/home\n");
    expect(say("--interactive", "--env", "HOME=/mine", "--env", "X=y")).toBe("in\n/data\n/mine y\n");
    expect(tsrunc(["container", "exec", "--user", "app", "roots", "/nosuch"]).code).toBe(255);
    expect(tsrunc(["container", "exec", "--user", "nobody", "roots", "true"]).stderr).toMatch(
      /nobody.* is not in the image/,
    );
  });

  test("that cannot be started stays, but with --rm", () => {
    expect(tsrunc(["image", "run", "--name", "kept", "demo", "nosuch"]).code).toBe(1);
    expect(tsrunc(["image", "run", "--name", "rm", "--rm", "demo", "nosuch"]).stderr).toMatch(/nosuch/);
    expect(list().map(({ name }) => name)).toEqual(["kept"]);
  });

  test("is killed after its time, at once with none, and counts as 137", () => {
    must([
      "image",
      "run",
      "--detach",
      "--name",
      "deaf",
      "demo",
      "sh",
      "-c",
      "trap '' USR1; while :; do sleep 0.05; done",
    ]);
    const before = Date.now();
    must(["container", "stop", "--time", "1", "deaf"]);
    expect(Date.now() - before).toBeGreaterThan(900);
    expect(one("deaf")?.exitCode).toBe(137);
    must(["container", "start", "deaf"]);
    must(["container", "stop", "--time", "0", "deaf"]);
    expect(one("deaf")?.exitCode).toBe(137);
  });

  test("is not removed while it runs, and is with --force; one of several that is not there does not keep the others", () => {
    must(["image", "run", "--detach", "--name", "a", "demo"]);
    must(["image", "run", "--detach", "--name", "b", "demo"]);
    const refused = tsrunc(["container", "rm", "a"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("a runs: stop it first");
    expect(one("a")?.status).toBe("running");
    const partly = tsrunc(["container", "rm", "--force", "nobody", "a", "b"]);
    expect(partly).toMatchObject({ code: 0, stdout: "a\nb\n" });
    expect(tsrunc(["container", "rm", "nobody"]).stderr).toContain("no such container: nobody");
  });

  test("that was killed while it was written down goes with the next removal, of whichever", () => {
    must(["image", "run", "--detach", "--name", "web", "demo"]);
    const left = scratch.at(`store/containers/${"a".repeat(64)}.new`);
    mkdirSync(left);
    must(["container", "rm", "--force", "nobody"]);
    expect(existsSync(left)).toBe(false);
    expect(one("web")?.status).toBe("running");
  });

  test("is removed once by two at once", async () => {
    must(["image", "run", "--detach", "--name", "twice", "demo"]);
    const args = ["--root", scratch.at("run"), "container", "rm", "--store", scratch.at("store"), "--force", "twice"];
    const remove = () =>
      new Promise<number | null>((settle) => spawn(runtime, args, { stdio: "ignore" }).on("exit", settle));
    expect(await Promise.all([remove(), remove(), remove()])).toEqual([0, 0, 0]);
    expect(list()).toEqual([]);
  });

  test("in the foreground passes output, input and exit code on, and stays only with a name", () => {
    const run = ["image", "run", "--interactive", "--name", "fg", "demo", "sh", "-c", "cat; echo oh >&2; exit 3"];
    expect(tsrunc(run, "hello\n")).toMatchObject({
      code: 3,
      stdout: "hello\n",
      stderr: expect.stringMatching(/oh\n$/),
    });
    expect(one("fg")).toMatchObject({ status: "exited", exitCode: 3 });
    const logs = tsrunc(["container", "logs", "fg"]);
    expect(logs).toMatchObject({ code: 0, stdout: "hello\n", stderr: "oh\n" });
    expect(tsrunc(["container", "start", "--attach", "fg"]).code).toBe(3);
    expect(must(["image", "run", "--volume", "v:/v", "demo", "echo", "once"])).toBe("once\n");
    expect(list().map(({ name }) => name)).toEqual(["fg"]);
  });

  test("is told of as JSON by what changes it", () => {
    const [id] = must(["image", "run", "--quiet", "--detach", "--name", "j", "--volume", "v:/data", "demo"])
      .trim()
      .split("\n");
    const said = (...args: string[]) => JSON.parse(tsrunc(args).stdout);
    expect(said("container", "stop", "--time", "0", "--format", "json", "j", "absent")).toEqual([{ id, name: "j" }]);
    expect(said("container", "start", "--format", "json", "j")).toEqual([{ id, name: "j" }]);
    expect(said("container", "rm", "--force", "--format", "json", id?.slice(0, 8) ?? "")).toEqual([{ id, name: "j" }]);
    expect(said("volume", "rm", "--format", "json", "v")).toEqual([{ name: "v" }]);
  });

  test("has its log from some time on", async () => {
    must(["image", "run", "--quiet", "--name", "s", "demo", "sh", "-c", "echo early; sleep 2; echo late"]);
    const times = must(["container", "logs", "--timestamps", "s"])
      .split("\n")
      .map((line) => line.split(" ")[0] ?? "");
    const since = new Date(Date.parse(times[0] ?? "") + 1000);
    const said = (time: string) => must(["container", "logs", "--since", time, "s"]);
    expect([since.toISOString(), `${since.getTime() / 1000}`, "1h", "0s"].map(said)).toEqual([
      "late\n",
      "late\n",
      "early\nlate\n",
      "",
    ]);
    expect(tsrunc(["container", "logs", "--since", "noon", "s"]).stderr).toContain("a time such as");
  });

  test("has a terminal, in the background too: what it shows is kept, and who attaches sits at it", async (context) => {
    const reason = whyNoTerminal();
    if (reason !== null) context.skip(reason);
    const script = "stty size; test -t 0 && test -t 1 && echo at a terminal; read line; echo got $line; exit 5";
    must(["image", "run", "--quiet", "--detach", "--tty", "--name", "term", "demo", "sh", "-c", script]);
    await until(() => must(["container", "logs", "term"]).includes("at a terminal"));
    expect(one("term")).toMatchObject({ status: "running" });
    must(["container", "stop", "--time", "0", "term"]);
    expect(one("term")).toMatchObject({ status: "exited", exitCode: 137 });
    const { master, slave } = openTerminal();
    setWindowSize(master.number, { rows: 33, columns: 77 });
    const args = [
      "--root",
      scratch.at("run"),
      "container",
      "start",
      "--attach",
      "--store",
      scratch.at("store"),
      "term",
    ];
    const child = spawn(runtime, args, { stdio: [slave.number, slave.number, slave.number] });
    const ended = new Promise((settle) => child.on("exit", settle));
    let shown = "";
    const sees = (text: string) => () => {
      shown += readAll(master.number);
      return shown.includes(text);
    };
    await until(sees("at a terminal"));
    expect(shown).toContain("33 77");
    writeSync(master.number, "typed\r");
    await until(sees("got typed"));
    expect(await ended).toBe(5);
    expect(one("term")).toMatchObject({ status: "exited", exitCode: 5 });
    expect(must(["container", "logs", "--tail", "1", "term"])).toContain("got typed");
    master.close();
    slave.close();
    must(["container", "rm", "term"]);
  });

  test("with --tty alone is gone with its monitor: its terminal hangs up", async (context) => {
    const reason = whyNoTerminal();
    if (reason !== null) context.skip(reason);
    must(["image", "run", "--quiet", "--detach", "--tty", "--name", "term", "demo", "sh"]);
    process.kill(monitorOf(one("term")?.id ?? ""), "SIGKILL");
    await until(() => one("term")?.status === "exited");
    must(["container", "start", "term"]);
    expect(one("term")?.status).toBe("running");
    must(["container", "rm", "--force", "term"]);
  });

  test("removes itself with --rm, and gives its name free", async () => {
    for (let round = 0; round < 2; round++) {
      must(["image", "run", "--detach", "--rm", "--name", "brief", "demo", "sh", "-c", "exit 4"]);
      await until(() => list().length === 0);
    }
  });

  test("leaves nothing when its program is not there", () => {
    const { code, stderr } = tsrunc(["image", "run", "--quiet", "--detach", "--name", "x", "demo", "/nothing/here"]);
    expect(code).toBe(1);
    expect(stderr.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain("/nothing/here");
    expect(list()).toEqual([]);
  });

  test("is stopped by a command that comes while another starts it: both succeed, and each says so", async () => {
    must(["image", "run", "--quiet", "--detach", "--name", "web", "demo"]);
    must(["container", "stop", "--time", "0", "web"]);
    const command = (...args: string[]) =>
      new Promise<{ code: number | null; said: string }>((settle) => {
        const [name = "", ...rest] = args;
        const all = ["--root", scratch.at("run"), "container", name, "--store", scratch.at("store"), ...rest];
        const child = spawn(runtime, all, { stdio: ["ignore", "ignore", "pipe"] });
        let said = "";
        child.stderr.setEncoding("utf8").on("data", (text) => (said += text));
        child.on("close", (code) => settle({ code, said }));
      });
    for (let round = 0; round < 6; round++) {
      const started = command("start", "web");
      await sleep(round * 15);
      const stopped = command("stop", "--time", "0", "web");
      const fine = { code: 0, said: "" };
      expect([await started, await stopped]).toEqual([fine, fine]);
      must(["container", "stop", "--time", "0", "web"]);
    }
  });

  test("is listed as the runtime has it: paused, running, ended", () => {
    for (const name of ["one", "two", "three"]) must(["image", "run", "--quiet", "--detach", "--name", name, "demo"]);
    execFileSync(runtime, ["--root", scratch.at("run"), "pause", "two"]);
    must(["container", "stop", "--time", "0", "three"]);
    const states = () => list().map(({ name, status }) => `${name} ${status}`);
    expect(states()).toEqual(["one running", "two paused", "three exited"]);
    must(["container", "stop", "--time", "0", "two"]);
    expect(states()).toEqual(["one running", "two exited", "three exited"]);
  });

  test("is shown, and executes another process, in a store that cannot be written to", async () => {
    must(["image", "run", "--quiet", "--detach", "--name", "web", "demo", "sh", "-c", "echo said; sleep 100"]);
    await until(() => must(["container", "logs", "web"]) === "said\n");
    must(["volume", "create", "v"]);
    const store = scratch.at("store");
    execFileSync("mount", ["--bind", store, store]);
    try {
      execFileSync("mount", ["-o", "remount,ro,bind", store]);
      expect(one("web")?.status).toBe("running");
      expect(must(["container", "inspect", "web"])).toContain('"running"');
      expect(must(["container", "logs", "web"])).toBe("said\n");
      expect(must(["container", "exec", "web", "echo", "inside"])).toBe("inside\n");
      expect(must(["volume", "list", "--quiet"])).toBe("v\n");
      const { code, stderr } = tsrunc(["container", "rm", "--force", "web"]);
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("read-only file system") });
      expect(stderr.trim().split("\n")).toHaveLength(1);
    } finally {
      execFileSync("umount", [store]);
    }
    expect(one("web")?.status).toBe("running");
  });

  test("has a name that is its own, also when two want it at once", async () => {
    const codes = await Promise.all(
      [1, 2, 3].map(
        () =>
          new Promise<number | null>((settle) => {
            const args = ["--root", scratch.at("run"), "image", "run", "--store", scratch.at("store"), "--detach"];
            spawn(runtime, [...args, "--name", "same", "demo"], { stdio: "ignore" }).on("exit", settle);
          }),
      ),
    );
    expect(codes.sort()).toEqual([0, 1, 1]);
    expect(list()).toHaveLength(1);
    expect(tsrunc(["image", "run", "--name", "same", "demo", "true"]).stderr).toContain("the name same belongs to");
    expect(tsrunc(["image", "run", "--name", "no/name", "demo", "true"]).stderr).toContain(
      "is no name for a container",
    );
  });
});

describe("the log", () => {
  test("keeps to its bound, and its end is there; all of the output goes to who is attached", () => {
    const count = 100_000;
    const run = ["image", "run", "--name", "loud", "--log-size", "64k", "demo", "seq", "1", `${count}`];
    const expected = `${Array.from({ length: count }, (_, index) => index + 1).join("\n")}\n`;
    expect(must(run) === expected).toBe(true);
    const directory = join(scratch.at("store/containers"), one("loud")?.id ?? "");
    const size = ["log", "log.1"].reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
    expect(size).toBeLessThanOrEqual(65536);
    expect(size).toBeGreaterThan(32768);
    expect(must(["container", "logs", "--tail", "2", "loud"])).toBe(`${count - 1}\n${count}\n`);
    const kept = must(["container", "logs", "loud"]).trim().split("\n").map(Number);
    expect(kept.every((number, index) => index === 0 || number === (kept[index - 1] as number) + 1)).toBe(true);
  });

  test("is followed to the end of the process, and has the time of each line", () => {
    must([
      "image",
      "run",
      "--detach",
      "--name",
      "slow",
      "demo",
      "sh",
      "-c",
      "for i in 1 2 3; do echo $i; sleep 0.2; done; echo -n end",
    ]);
    expect(must(["container", "logs", "--follow", "slow"])).toBe("1\n2\n3\nend");
    expect(must(["container", "logs", "--timestamps", "--tail", "1", "slow"])).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z end$/,
    );
  });
});

describe("kills", () => {
  test("of its monitor neither end a container nor lose what it writes meanwhile, nor its exit code", async () => {
    const script = "i=0; while test $i -lt 20; do echo $i; i=$((i+1)); sleep 0.1; done; exit 9";
    const id = must(["image", "run", "--detach", "--name", "k", "demo", "sh", "-c", script]).trim();
    await sleep(300);
    process.kill(monitorOf(id), "SIGKILL");
    await sleep(700);
    expect(one("k")?.status).toBe("running");
    await until(() => one("k")?.status === "exited");
    expect(one("k")?.exitCode).toBe(9);
    expect(must(["container", "logs", "k"])).toBe(Array.from({ length: 20 }, (_, index) => `${index}\n`).join(""));
  });

  test("of monitor and process leave a container that is listed as exited, starts and is removed", () => {
    const id = must([
      "image",
      "run",
      "--detach",
      "--name",
      "both",
      "demo",
      "sh",
      "-c",
      "touch /kept; sleep 100",
    ]).trim();
    const { pid } = one("both") as Listed;
    process.kill(monitorOf(id), "SIGKILL");
    process.kill(pid, "SIGKILL");
    expect(one("both")).toMatchObject({ status: "exited", pid: 0 });
    must(["container", "start", "both"]);
    expect(must(["container", "exec", "both", "ls", "/kept"])).toBe("/kept\n");
    must(["container", "rm", "--force", "both"]);
  });

  test("of a container whose pid is another process's now", () => {
    const id = must(["image", "run", "--detach", "--name", "old", "demo"]).trim();
    const directory = join(scratch.at("store/containers"), id);
    must(["container", "stop", "--time", "0", "old"]);
    // As if the machine had been started anew since, and this test had got the pid.
    const process_ = { pid: process.pid, startTime: 1, bootId: "another" };
    const state = { phase: "running", process: process_, startedAt: "2026-01-01T00:00:00Z" };
    writeFileSync(join(directory, "state.json"), JSON.stringify(state));
    expect(one("old")).toMatchObject({ status: "exited", exitCode: null });
    must(["container", "start", "old"]);
    expect(one("old")?.status).toBe("running");
  });

  test("of a monitor that was starting it leave one that has not been started", () => {
    const id = must(["image", "run", "--detach", "--name", "half", "demo"]).trim();
    must(["container", "stop", "--time", "0", "half"]);
    const path = join(scratch.at("store/containers"), id, "state.json");
    writeFileSync(path, JSON.stringify({ phase: "starting", bootId: "any" }));
    expect(one("half")).toMatchObject({ status: "exited", error: "its start was interrupted" });
    must(["container", "start", "half"]);
    expect(one("half")).toMatchObject({ status: "running", error: null });
  });

  test("while it is made leave what can be removed, or nothing", async () => {
    for (const delay of [20, 60, 100, 150, 250]) {
      const args = [
        "--root",
        scratch.at("run"),
        "image",
        "run",
        "--store",
        scratch.at("store"),
        "--detach",
        "--name",
        "cut",
      ];
      const child = spawn(runtime, [...args, "demo"], { stdio: "ignore" });
      const ended = new Promise((settle) => child.on("exit", settle));
      await sleep(delay);
      child.kill("SIGKILL");
      await ended;
      await until(() => one("cut")?.status !== "starting");
      for (const { name } of list()) must(["container", "rm", "--force", name]);
      must(["image", "run", "--name", "cut", "--rm", "demo", "true"]);
    }
  });
});

describe("volumes", () => {
  test("with a name outlive containers, and get the image's content once", () => {
    must([
      "image",
      "run",
      "--rm",
      "--volume",
      "data:/data",
      "demo",
      "sh",
      "-c",
      "cat /data/seed; rm /data/seed; echo mine > /data/own",
    ]);
    expect(must(["image", "run", "--rm", "--volume", "data:/data", "demo", "ls", "/data"])).toBe("own\n");
    const [volume] = JSON.parse(must(["volume", "inspect", "data"]));
    expect(volume).toMatchObject({ name: "data", usedBy: [] });
    expect(readFileSync(join(volume.mountpoint, "own"), "utf8")).toBe("mine\n");
    must(["volume", "rm", "data"]);
    expect(JSON.parse(must(["volume", "list", "--format", "json"]))).toEqual([]);
    expect(tsrunc(["volume", "rm", "data"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("no such volume"),
    });
  });

  test("are not removed while a container has them, also one that does not run", () => {
    must(["volume", "create", "kept"]);
    must(["volume", "create", "free"]);
    must(["image", "run", "--name", "user", "--volume", "kept:/data:nocopy", "demo", "ls", "/data"]);
    expect(tsrunc(["volume", "rm", "kept"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("belongs to user"),
    });
    expect(must(["volume", "prune"])).toBe("free\n");
    must(["container", "rm", "user"]);
    expect(must(["volume", "list", "--quiet"])).toBe("kept\n");
    expect(must(["volume", "prune", "--format", "json"])).toBe('["kept"]\n');
  });

  test("without a name stay with their container, and go with it", () => {
    must([
      "image",
      "import",
      "--change",
      "VOLUME /data",
      "--change",
      'CMD ["/bin/sleep","100"]',
      scratch.at("rootfs"),
      "voluminous",
    ]);
    must(["image", "run", "--detach", "--name", "anon", "voluminous"]);
    must(["container", "exec", "anon", "sh", "-c", "echo kept > /data/new"]);
    must(["container", "stop", "--time", "0", "anon"]);
    must(["container", "start", "anon"]);
    expect(must(["container", "exec", "anon", "cat", "/data/seed", "/data/new"])).toBe("from the image\nkept\n");
    must(["container", "rm", "--force", "anon"]);
    expect(must(["volume", "list", "--quiet"])).toBe("");
  });

  test("that have gone since are named by start in one line, which leaves the container as it was", () => {
    const source = scratch.at("source");
    const volume = scratch.at("store/volumes/data");
    const args = ["--volume", `${source}:/mnt`, "--volume", "data:/data"];
    mkdirSync(source);
    const id = must(["image", "run", "--quiet", "--detach", "--name", "web", ...args, "demo"]).trim();
    must(["container", "stop", "--time", "0", "web"]);
    const directory = join(scratch.at("store/containers"), id);
    const { snapshot } = JSON.parse(readFileSync(join(directory, "bundle/image.json"), "utf8"));
    const gone: [string, RegExp][] = [
      [source, /cannot be started: .*source, which is to be mounted on \/mnt, does not exist any more: put it back/],
      [
        join(volume, "data"),
        /cannot be started: its volume data, .* on \/data, has lost its contents: put .*data back/,
      ],
      [
        volume,
        /cannot be started: its volume data, .* on \/data, does not exist any more: ..?tsrunc volume create data/,
      ],
      [scratch.at("store/snapshots/layers"), /is damaged: .*layers.*\/fs: is missing/],
      [scratch.at(`store/snapshots/active/${snapshot}/work`), /is damaged: .*work: is missing/],
    ];
    for (const [path, message] of gone) {
      renameSync(path, scratch.at("away"));
      for (const attach of [[], ["--attach"]]) {
        const { code, stderr } = tsrunc(["container", "start", ...attach, "web"]);
        expect({ path, code }).toEqual({ path, code: 1 });
        expect(stderr).toMatch(message);
        expect(stderr).toMatch(/the container web .*tsrunc container rm web/);
        expect(stderr.trim().split("\n")).toHaveLength(1);
      }
      renameSync(scratch.at("away"), path);
      expect(one("web")).toMatchObject({ status: "exited", exitCode: 137, error: null });
    }
    renameSync(scratch.at("store"), scratch.at("moved"));
    const there = ["container", "start", "--store", scratch.at("moved"), "web"];
    const { stderr } = spawnSync(runtime, ["--root", scratch.at("run"), ...there], { encoding: "utf8" });
    expect(stderr).toMatch(/its store, .*store, is not there/);
    expect(existsSync(scratch.at("store"))).toBe(false);
    renameSync(scratch.at("moved"), scratch.at("store"));
    must(["container", "start", "web"]);
    must(["container", "rm", "--force", "web"]);
  });

  test.each([
    ["a b:/data", "is no name of a volume"],
    ["data:data", "must be an absolute path"],
    ["data:/", "must not be /"],
    ["data:/x:rx", "is not known"],
    ["/missing/on/the/host:/x", "--volume: /missing/on/the/host, which is to be mounted on /x, does not exist"],
  ])("refuses %s", (volume, message) => {
    for (const named of [[], ["--name", "refused"]]) {
      const { code, stderr } = tsrunc(["image", "run", ...named, "--volume", volume, "demo", "true"]);
      expect(code).toBe(1);
      expect(stderr).toContain(message);
      expect(stderr.trim().split("\n")).toHaveLength(1);
    }
    expect(list()).toEqual([]);
  });
});

describe.skipIf(!hasProgram("pasta"))("a network by pasta", () => {
  test("lets a port of the host lead into the container, again after a start, and is gone with it", async () => {
    const port = 20_000 + (process.pid % 10_000);
    const script = "while :; do echo inside | nc -l -p 80; done";
    must([
      "image",
      "run",
      "--detach",
      "--name",
      "net",
      "--publish",
      `127.0.0.1:${port}:80`,
      "demo",
      "sh",
      "-c",
      script,
    ]);
    expect(await ask(port)).toBe("inside\n");
    must(["container", "stop", "--time", "0", "net"]);
    expect(await ask(port, 1)).toBe(null);
    must(["container", "start", "net"]);
    expect(await ask(port)).toBe("inside\n");
    // A port that is taken: the start fails, in one line, and nothing stays.
    const second = tsrunc([
      "image",
      "run",
      "--quiet",
      "--detach",
      "--name",
      "other",
      "--publish",
      `127.0.0.1:${port}:80`,
      "demo",
    ]);
    expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining("pasta: ") });
    expect(list().map(({ name }) => name)).toEqual(["net"]);
    must(["container", "rm", "--force", "net"]);
    await until(() => !execFileSync("ps", ["ax", "-o", "args"], { encoding: "utf8" }).includes(`127.0.0.1/${port}:80`));
  });
});

/** What a port of this machine says; `null` when nobody is there. */
async function ask(port: number, tries = 40): Promise<string | null> {
  for (let count = 0; count < tries; count++) {
    const answer = await new Promise<string | null>((settle) => {
      let text = "";
      const socket = connect(port, "127.0.0.1");
      socket.setEncoding("utf8").on("data", (data) => (text += data));
      socket.on("error", () => settle(null)).on("close", () => settle(text === "" ? null : text));
      // netcat ends when both sides have.
      socket.end();
    });
    if (answer !== null) return answer;
    await sleep(100);
  }
  return null;
}
