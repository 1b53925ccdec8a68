/** Every command: what it makes of its arguments, and what it prints of what the runtime answers. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { loadProcess } from "../../src/config/load-process.ts";
import type { ContainerState } from "../../src/runtime/state.ts";

const printed = vi.hoisted(() => ({ stdout: "", stderr: "" }));
const calls = vi.hoisted(() => ({ made: [] as unknown[][], answers: new Map<string, unknown>() }));

const record = vi.hoisted(() => (name: string) => (_context: unknown, ...rest: unknown[]) => {
  calls.made.push([name, ...rest]);
  const answer = calls.answers.get(name);
  if (answer instanceof Error) throw answer;
  return answer;
});

vi.mock("../../src/sys/standard-streams.ts", async (original) => ({
  ...(await original<typeof import("../../src/sys/standard-streams.ts")>()),
  writeAll(fd: number, text: string) {
    printed[fd === 1 ? "stdout" : "stderr"] += text;
  },
  writeOut(stream: "stdout" | "stderr", text: string) {
    printed[stream] += text;
  },
}));
vi.mock("../../src/runtime/create.ts", () => ({ createContainer: record("create") }));
vi.mock("../../src/runtime/explain.ts", () => ({ explainCreate: record("explain") }));
vi.mock("../../src/runtime/run.ts", () => ({ runContainer: record("run") }));
vi.mock("../../src/runtime/start.ts", () => ({ startContainer: record("start") }));
vi.mock("../../src/runtime/exec.ts", () => ({ execInContainer: record("exec") }));
vi.mock("../../src/runtime/kill.ts", () => ({ killContainer: record("kill") }));
vi.mock("../../src/runtime/delete.ts", () => ({ deleteContainer: record("delete") }));
vi.mock("../../src/runtime/state.ts", () => ({ containerState: record("state"), listContainers: record("list") }));
vi.mock("../../src/runtime/ps.ts", () => ({ containerProcesses: record("ps") }));
vi.mock("../../src/runtime/pause.ts", () => ({ pauseContainer: record("pause"), resumeContainer: record("resume") }));
vi.mock("../../src/runtime/store.ts", () => ({ containerIds: () => ["db", "web-1", "web-2"] }));
vi.mock("../../src/config/default.ts", () => ({
  OCI_VERSION: "1.3.0",
  defaultSpec: () => ({ ociVersion: "1.3.0" }),
  rootlessSpec: () => ({ ociVersion: "1.3.0", linux: { namespaces: [{ type: "user" }] } }),
}));
vi.mock("../../src/config/features.ts", () => ({
  features: (version: string) => ({ ociVersionMin: "1.0.0", annotations: { version } }),
}));
vi.mock("../../src/config/load.ts", () => ({
  validateBundle(bundle: string) {
    calls.made.push(["validate", bundle]);
    const answer = calls.answers.get("validate");
    if (answer instanceof Error) throw answer;
    return answer ?? { warnings: [] };
  },
}));

const { runCli } = await import("../../src/cli/cli.ts");

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tsrunc-cli-"));
  printed.stdout = "";
  printed.stderr = "";
  calls.made.length = 0;
  calls.answers.clear();
});

afterEach(() => rmSync(directory, { recursive: true }));

const here = resolve(".");
const created = { bundle: here, noNewKeyring: false, noPivot: false, preserveFds: 0 };

describe("create", () => {
  const lines: [line: string, options: object][] = [
    ["create web", { id: "web", ...created }],
    ["create --bundle /b web", { id: "web", ...created, bundle: "/b" }],
    ["create -b sub web", { id: "web", ...created, bundle: resolve("sub") }],
    ["create web --bundle /b", { id: "web", ...created, bundle: "/b" }],
    ["create -f other.json web", { id: "web", ...created, config: resolve("other.json") }],
    ["create --pid-file p web", { id: "web", ...created, pidFile: resolve("p") }],
    ["create --pid-file= web", { id: "web", ...created }],
    ["create --console-socket c.sock web", { id: "web", ...created, consoleSocket: "c.sock" }],
    ["create --pidfd-socket /p.sock web", { id: "web", ...created, pidfdSocket: "/p.sock" }],
    ["create --no-pivot --no-new-keyring web", { id: "web", ...created, noPivot: true, noNewKeyring: true }],
    ["create --preserve-fds 2 web", { id: "web", ...created, preserveFds: 2 }],
    ["create --no-subreaper web", { id: "web", ...created }],
    ["create -- -web", { id: "-web", ...created }],
  ];
  test.each(lines)("%s", async (line, options) => {
    expect(await runCli(line.split(" "))).toBe(0);
    expect(calls.made).toEqual([["create", options]]);
    expect(printed).toEqual({ stdout: "", stderr: "" });
  });

  test("--explain prints the plan and makes nothing", async () => {
    calls.answers.set("explain", ["parent  make the cgroup", "init    mount proc"]);
    expect(await runCli(["create", "--explain", "web"])).toBe(0);
    expect(calls.made).toEqual([["explain", { id: "web", ...created }]]);
    expect(printed.stdout).toBe("parent  make the cgroup\ninit    mount proc\n");
  });

  test("a failure says that create failed, and has exit code 1", async () => {
    calls.answers.set("create", new Error("container with given ID already exists"));
    expect(await runCli(["create", "web"])).toBe(1);
    expect(printed.stderr).toContain('level=error msg="tsrunc create failed: container with given ID already exists"');
  });
});

describe("run", () => {
  const attached = { ...created, detach: false, keep: false, noSubreaper: false };
  const lines: [line: string, options: object][] = [
    ["run web", { id: "web", ...attached }],
    ["run -d web", { id: "web", ...attached, detach: true }],
    ["run --detach=true --keep web", { id: "web", ...attached, detach: true, keep: true }],
    ["run -no-subreaper web", { id: "web", ...attached, noSubreaper: true }],
    [
      "run -b /b --pid-file /p --preserve-fds=1 web",
      { id: "web", ...attached, bundle: "/b", pidFile: "/p", preserveFds: 1 },
    ],
  ];
  test.each(lines)("%s", async (line, options) => {
    calls.answers.set("run", 0);
    expect(await runCli(line.split(" "))).toBe(0);
    expect(calls.made).toEqual([["run", options]]);
  });

  test("the exit code is the container's", async () => {
    calls.answers.set("run", 137);
    expect(await runCli(["run", "web"])).toBe(137);
  });

  test("--explain prints the plan and runs nothing", async () => {
    calls.answers.set("explain", ["init    mount proc"]);
    expect(await runCli(["run", "--explain", "-d", "web"])).toBe(0);
    expect(calls.made).toEqual([["explain", { id: "web", ...created }]]);
  });

  test("a failure says that run failed", async () => {
    calls.answers.set("run", new Error("no"));
    expect(await runCli(["run", "web"])).toBe(1);
    expect(printed.stderr).toContain('msg="tsrunc run failed: no"');
  });
});

describe("exec", () => {
  const plain = { id: "web", detach: false, ignorePaused: false, cgroups: [], preserveFds: 0 };
  const flags = { kind: "flags", args: ["ls"], tty: false, additionalGids: [], env: [], capabilities: [] };
  const lines: [argv: string[], options: object][] = [
    [["web", "ls"], { ...plain, process: flags }],
    [["web", "sh", "-c", "echo --tty"], { ...plain, process: { ...flags, args: ["sh", "-c", "echo --tty"] } }],
    [["web", "ls", "--", "-d", "--help"], { ...plain, process: { ...flags, args: ["ls", "--", "-d", "--help"] } }],
    [["-t", "web", "ls"], { ...plain, process: { ...flags, tty: true } }],
    [["-td", "web", "ls"], { ...plain, detach: true, process: { ...flags, tty: true } }],
    [["--user", "1:2", "web", "ls"], { ...plain, process: { ...flags, user: "1:2" } }],
    [
      ["-u", "1", "-g", "2", "-g", "3", "web", "ls"],
      { ...plain, process: { ...flags, user: "1", additionalGids: [2, 3] } },
    ],
    [["--cwd", "/x", "web", "ls"], { ...plain, process: { ...flags, cwd: "/x" } }],
    [["-e", "A=1", "--env", "B=2,3", "web", "ls"], { ...plain, process: { ...flags, env: ["A=1", "B=2,3"] } }],
    [
      ["-c", "CAP_KILL", "--cap", "CAP_CHOWN", "web", "ls"],
      { ...plain, process: { ...flags, capabilities: ["CAP_KILL", "CAP_CHOWN"] } },
    ],
    [["--no-new-privs", "web", "ls"], { ...plain, process: { ...flags, noNewPrivileges: true } }],
    [["--no-new-privs=false", "web", "ls"], { ...plain, process: { ...flags, noNewPrivileges: false } }],
    [
      ["--process-label", "l", "--apparmor", "a", "web", "ls"],
      { ...plain, process: { ...flags, processLabel: "l", apparmor: "a" } },
    ],
    [
      ["--cgroup", "cpu,cpuacct:a", "--cgroup", "memory:b", "web", "ls"],
      { ...plain, cgroups: ["cpu,cpuacct:a", "memory:b"], process: flags },
    ],
    [
      ["--ignore-paused", "--preserve-fds", "2", "web", "ls"],
      { ...plain, ignorePaused: true, preserveFds: 2, process: flags },
    ],
    [
      ["--pid-file", "/p", "--console-socket", "/c", "--pidfd-socket", "/s", "web", "ls"],
      { ...plain, pidFile: "/p", consoleSocket: "/c", pidfdSocket: "/s", process: flags },
    ],
    [
      ["--pid-file", "/p", "--process", "/x/p.json", "--detach", "web"],
      { ...plain, pidFile: "/p", detach: true, process: { kind: "file", path: "/x/p.json", load: loadProcess } },
    ],
    [["-p", "p.json", "web"], { ...plain, process: { kind: "file", path: resolve("p.json"), load: loadProcess } }],
  ];
  test.each(lines)("exec %j", async (argv, options) => {
    calls.answers.set("exec", 3);
    expect(await runCli(["exec", ...argv])).toBe(3);
    expect(calls.made).toEqual([["exec", options]]);
  });

  test("a failure has exit code 255, so that it is not taken for the process's own", async () => {
    calls.answers.set("exec", new Error("cannot exec in a stopped container"));
    expect(await runCli(["exec", "web", "ls"])).toBe(255);
    expect(printed.stderr).toContain('msg="exec failed: cannot exec in a stopped container"');
  });

  test("without a command it fails and calls nothing", async () => {
    expect(await runCli(["exec", "web"])).toBe(255);
    expect(printed.stderr).toContain("exec failed: exec args cannot be empty");
    expect(calls.made).toEqual([]);
  });
});

describe("the commands that take an id", () => {
  const lines: [line: string, call: unknown[]][] = [
    ["start web", ["start", "web"]],
    ["pause web", ["pause", "web"]],
    ["resume web", ["resume", "web"]],
    ["delete web", ["delete", "web", { force: false }]],
    ["delete --force web", ["delete", "web", { force: true }]],
    ["delete -f web", ["delete", "web", { force: true }]],
    ["kill web", ["kill", "web", 15, { all: false }]],
    ["kill web KILL", ["kill", "web", 9, { all: false }]],
    ["kill web SIGUSR1", ["kill", "web", 10, { all: false }]],
    ["kill web hup", ["kill", "web", 1, { all: false }]],
    ["kill web 0", ["kill", "web", 0, { all: false }]],
    ["kill web RTMIN+3", ["kill", "web", 37, { all: false }]],
    ["kill -a web 9", ["kill", "web", 9, { all: true }]],
    ["kill web 9 --all", ["kill", "web", 9, { all: true }]],
  ];
  test.each(lines)("%s", async (line, call) => {
    expect(await runCli(line.split(" "))).toBe(0);
    expect(calls.made).toEqual([call]);
    expect(printed).toEqual({ stdout: "", stderr: "" });
  });

  test("their errors have no prefix: engines look for these words", async () => {
    calls.answers.set("kill", new Error("container not running"));
    expect(await runCli(["kill", "web"])).toBe(1);
    expect(printed.stderr).toContain('msg="container not running"');
  });

  test("kill refuses a signal that does not exist", async () => {
    expect(await runCli(["kill", "web", "FOO"])).toBe(1);
    expect(printed.stderr).toContain('unknown signal \\"FOO\\"');
    expect(calls.made).toEqual([]);
  });

  test("--regex takes every container that matches", async () => {
    expect(await runCli(["kill", "--regex", "^web-", "KILL"])).toBe(0);
    expect(await runCli(["delete", "-f", "-r", "d"])).toBe(0);
    expect(calls.made).toEqual([
      ["kill", "web-1", 9, { all: false }],
      ["kill", "web-2", 9, { all: false }],
      ["delete", "db", { force: true }],
    ]);
  });

  test("--regex warns of a container that fails and goes on", async () => {
    calls.answers.set("delete", new Error("busy"));
    expect(await runCli(["delete", "--regex", "web"])).toBe(0);
    expect(printed.stderr.match(/level=warning msg="web-\d: busy"/g)).toHaveLength(2);
  });

  test("--regex refuses what is no regular expression", async () => {
    expect(await runCli(["delete", "--regex", "("])).toBe(1);
    expect(printed.stderr).toContain("is no regular expression");
  });
});

/** Command lines as engines put them together; paths shortened. */
describe("the forms that engines write", () => {
  const both = { id: "web", ...created, bundle: "/b", pidFile: "/p" };
  const engines: [engine: string, line: string, call: unknown[]][] = [
    [
      "conmon for Podman",
      "--log-format=json --log=/dev/null --root=/r --systemd-cgroup create --bundle /b --pid-file /p --console-socket /c web",
      ["create", { ...both, consoleSocket: "/c" }],
    ],
    [
      "conmon for CRI-O",
      "--root=/r --systemd-cgroup create --bundle /b --pid-file /p --no-pivot --no-new-keyring web",
      ["create", { ...both, noPivot: true, noNewKeyring: true }],
    ],
    [
      "go-runc for containerd and Docker",
      "--root /r --log /dev/null --log-format json --systemd-cgroup create --bundle /b --pid-file /p --console-socket /c web",
      ["create", { ...both, consoleSocket: "/c" }],
    ],
    [
      "buildah",
      "create --bundle /b --pid-file /p --no-pivot --preserve-fds=1 web",
      ["create", { ...both, noPivot: true, preserveFds: 1 }],
    ],
    ["Podman", "--root /r start web", ["start", "web"]],
    ["Podman", "--root=/r kill --all web 9", ["kill", "web", 9, { all: true }]],
    ["go-runc", "--root /r --log /dev/null --log-format json kill --all web 15", ["kill", "web", 15, { all: true }]],
    ["CRI-O", "--root /r kill web SIGTERM", ["kill", "web", 15, { all: false }]],
    ["Podman", "--root=/r delete --force web", ["delete", "web", { force: true }]],
    ["go-runc", "--root /r --log /dev/null --log-format json delete --force web", ["delete", "web", { force: true }]],
    [
      "a script of runc's users",
      "-root /r -log-format=json -debug=false delete -force web",
      ["delete", "web", { force: true }],
    ],
    [
      "conmon for Podman's exec",
      "--log-format=json --log=/dev/null exec --pid-file /p --preserve-fds=2 --process /x --detach -t web",
      [
        "exec",
        {
          ...{ id: "web", detach: true, ignorePaused: false, cgroups: [], preserveFds: 2, pidFile: "/p" },
          process: { kind: "file", path: "/x", load: loadProcess },
        },
      ],
    ],
    [
      "go-runc's exec",
      "--root /r --log /dev/null --log-format json exec --process /x --console-socket /c --detach --pid-file /p web",
      [
        "exec",
        {
          ...{
            id: "web",
            detach: true,
            ignorePaused: false,
            cgroups: [],
            preserveFds: 0,
            pidFile: "/p",
            consoleSocket: "/c",
          },
          process: { kind: "file", path: "/x", load: loadProcess },
        },
      ],
    ],
  ];
  test.each(engines)("%s: %s", async (_, line, call) => {
    calls.answers.set("exec", 0);
    expect(await runCli(line.split(" ")), printed.stderr).toBe(0);
    expect(calls.made).toEqual([call]);
  });
});

const web: ContainerState = {
  owner: "root",
  created: "2026-01-02T03:04:05.678Z",
  rootfs: "/b/rootfs",
  bundle: "/b",
  pid: 42,
  status: "running",
  id: "web",
  ociVersion: "1.3.0",
  annotations: { a: "1" },
};

describe("state", () => {
  test("prints the document indented, its fields in runc's order", async () => {
    calls.answers.set("state", web);
    expect(await runCli(["state", "web"])).toBe(0);
    expect(printed.stdout).toBe(`{
  "ociVersion": "1.3.0",
  "id": "web",
  "pid": 42,
  "status": "running",
  "bundle": "/b",
  "rootfs": "/b/rootfs",
  "created": "2026-01-02T03:04:05.678Z",
  "annotations": {
    "a": "1"
  },
  "owner": "root"
}
`);
  });

  test("leaves empty annotations out", async () => {
    calls.answers.set("state", { ...web, annotations: {} });
    await runCli(["state", "web"]);
    expect(JSON.parse(printed.stdout)).not.toHaveProperty("annotations");
  });
});

describe("list", () => {
  const stopped: ContainerState = { ...web, id: "a-rather-long-id", pid: 0, status: "stopped" };

  test("prints a table", async () => {
    calls.answers.set("list", [web, stopped]);
    expect(await runCli(["list"])).toBe(0);
    expect(printed.stdout).toBe(
      [
        "ID                 PID         STATUS      BUNDLE      CREATED                    OWNER",
        "web                42          running     /b          2026-01-02T03:04:05.678Z   root",
        "a-rather-long-id   0           stopped     /b          2026-01-02T03:04:05.678Z   root",
        "",
      ].join("\n"),
    );
  });

  test("prints the heading alone when there is no container", async () => {
    calls.answers.set("list", []);
    await runCli(["list"]);
    expect(printed.stdout).toBe("ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
  });

  test.each(["--quiet", "-q"])("%s prints ids", async (flag) => {
    calls.answers.set("list", [web, stopped]);
    await runCli(["list", flag]);
    expect(printed.stdout).toBe("web\na-rather-long-id\n");
  });

  test("--quiet prints nothing when there is no container", async () => {
    calls.answers.set("list", []);
    await runCli(["list", "-q"]);
    expect(printed.stdout).toBe("");
  });

  test.each(["--format=json", "-f json"])("%s prints one line of JSON", async (flag) => {
    calls.answers.set("list", [web]);
    await runCli(["list", ...flag.split(" ")]);
    expect(printed.stdout).toMatch(/^\[\{"ociVersion":"1\.3\.0","id":"web","pid":42,"status":"running",.*\}\]\n$/);
  });

  test("a root that was given and is not there is an error", async () => {
    expect(await runCli(["--root", join(directory, "none"), "list"])).toBe(1);
    expect(calls.made).toEqual([]);
  });

  test("refuses another format", async () => {
    expect(await runCli(["list", "-f", "xml"])).toBe(1);
    expect(printed.stderr).toContain("argument 'xml' is invalid");
  });
});

describe("ps", () => {
  beforeEach(() => calls.answers.set("ps", [process.pid]));

  test("prints ps -ef's rows about the container's processes", async () => {
    expect(await runCli(["ps", "web"])).toBe(0);
    const [heading, ...rows] = printed.stdout.trimEnd().split("\n");
    expect(heading).toMatch(/UID +PID +PPID/);
    expect(rows).toEqual([expect.stringMatching(new RegExp(`^\\S+ +${process.pid} `))]);
  });

  test("gives ps the options that follow the id", async () => {
    await runCli(["ps", "web", "-o", "pid,comm", "-e"]);
    expect(printed.stdout.trim().split("\n")[0]?.trim()).toMatch(/^PID COMMAND$/);
  });

  test("prints the heading alone when no process is left", async () => {
    calls.answers.set("ps", []);
    await runCli(["ps", "web"]);
    expect(printed.stdout.trimEnd().split("\n")).toHaveLength(1);
  });

  test("fails when ps prints no column PID", async () => {
    expect(await runCli(["ps", "web", "-o", "comm"])).toBe(1);
    expect(printed.stderr).toContain("couldn't find PID field in ps output");
  });

  test.each(["--format json", "-f json"])("%s prints the pids", async (flag) => {
    calls.answers.set("ps", [1, 22]);
    expect(await runCli(["ps", ...flag.split(" "), "web"])).toBe(0);
    expect(printed.stdout).toBe("[1,22]\n");
  });
});

describe("spec", () => {
  test("writes config.json, indented by tabs", async () => {
    expect(await runCli(["spec", "--bundle", directory])).toBe(0);
    expect(readFileSync(join(directory, "config.json"), "utf8")).toBe('{\n\t"ociVersion": "1.3.0"\n}\n');
  });

  test("--rootless writes one with a user namespace", async () => {
    expect(await runCli(["spec", "-b", directory, "--rootless"]), printed.stderr).toBe(0);
    expect(JSON.parse(readFileSync(join(directory, "config.json"), "utf8"))).toHaveProperty("linux.namespaces");
  });

  test("the global --rootless is another option", async () => {
    await runCli(["--rootless=true", "spec", "-b", directory]);
    expect(JSON.parse(readFileSync(join(directory, "config.json"), "utf8"))).not.toHaveProperty("linux");
  });

  test("leaves a config.json that is there as it is", async () => {
    writeFileSync(join(directory, "config.json"), "mine");
    expect(await runCli(["spec", "-b", directory])).toBe(1);
    expect(printed.stderr).toContain("config.json exists. Remove it first");
    expect(readFileSync(join(directory, "config.json"), "utf8")).toBe("mine");
  });

  test("--file may be absolute", async () => {
    const file = join(directory, "other.json");
    expect(await runCli(["spec", "-f", file])).toBe(0);
    expect(readFileSync(file, "utf8")).toContain("ociVersion");
  });

  test("--file writes over what is there", async () => {
    writeFileSync(join(directory, "other.json"), "old");
    expect(await runCli(["spec", "-b", directory, "-f", "other.json"])).toBe(0);
    expect(readFileSync(join(directory, "other.json"), "utf8")).toContain("ociVersion");
  });
});

test("features prints the document", async () => {
  expect(await runCli(["features"])).toBe(0);
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  expect(printed.stdout).toMatch(/^\{\n {4}"ociVersionMin": "1\.0\.0",\n/);
  expect(JSON.parse(printed.stdout)).toMatchObject({ annotations: { version } });
});

describe("validate", () => {
  test("says that a bundle is valid, and warns", async () => {
    calls.answers.set("validate", { warnings: ["config.json: /mounts/0: relative"] });
    expect(await runCli(["validate", "--bundle", "/b"])).toBe(0);
    expect(calls.made).toEqual([["validate", "/b"]]);
    expect(printed.stdout).toBe("/b/config.json is valid\n");
    expect(printed.stderr).toContain('level=warning msg="config.json: /mounts/0: relative"');
  });

  test("fails with the rule that is broken", async () => {
    calls.answers.set("validate", new Error("config.json: /root/path: 1: must be a string"));
    expect(await runCli(["validate"])).toBe(1);
    expect(calls.made).toEqual([["validate", here]]);
    expect(printed.stderr).toContain("/root/path: 1: must be a string");
  });
});
