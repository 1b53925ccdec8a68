/** What all commands share: help, version, global options, errors and the log. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Context } from "../../src/runtime/options.ts";

const printed = vi.hoisted(() => ({ stdout: "", stderr: "" }));
const terminals = vi.hoisted(() => new Set<number>());
const runtime = vi.hoisted(() => ({ start: (_context: Context, _id: string): void => undefined }));

vi.mock("../../src/sys/standard-streams.ts", async (original) => {
  const streams = await original<typeof import("../../src/sys/standard-streams.ts")>();
  return {
    ...streams,
    writeAll(fd: number, text: string) {
      if (fd === 1) printed.stdout += text;
      else if (fd === 2) printed.stderr += text;
      else streams.writeAll(fd, text);
    },
    writeOut(stream: "stdout" | "stderr", text: string) {
      printed[stream] += text;
    },
  };
});
vi.mock("../../src/sys/tty.ts", async (original) => ({
  ...(await original<typeof import("../../src/sys/tty.ts")>()),
  isTerminal: (fd: number) => terminals.has(fd),
}));
vi.mock("../../src/runtime/start.ts", () => ({
  startContainer: (context: Context, id: string) => runtime.start(context, id),
}));

const { runCli } = await import("../../src/cli/cli.ts");
const { allCommands, commands, shownEntries } = await import("../../src/cli/commands.ts");
const { parserOf } = await import("../../src/cli/parser.ts");

let directory: string;
const environment = { ...process.env };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tsrunc-cli-"));
  printed.stdout = "";
  printed.stderr = "";
  runtime.start = () => undefined;
  terminals.clear();
});

afterEach(() => {
  rmSync(directory, { recursive: true });
  process.env = { ...environment };
});

/** The context that a command line makes. */
async function contextOf(...globals: string[]): Promise<Context> {
  let seen: Context | undefined;
  runtime.start = (context) => {
    seen = context;
  };
  const code = await runCli([...globals, "start", "web"]);
  if (seen === undefined) throw new Error(`exit code ${code}: ${printed.stderr}`);
  return seen;
}

describe("help", () => {
  test.each([[], ["--help"], ["-h"], ["help"], ["h"], ["--debug", "help"], ["--help", "list"]])(
    "tsrunc %j lists the commands",
    async (...argv) => {
      expect(await runCli(argv), printed.stderr).toBe(0);
      const [name, program] = printed.stdout.split("\n");
      expect(name).toBe("NAME:");
      expect(program).toBe("   tsrunc - Open Container Initiative runtime");
      for (const command of shownEntries(commands).map(([name]) => name))
        expect(printed.stdout).toMatch(new RegExp(`^ {3}${command} +\\w`, "m"));
      expect(printed.stderr).toBe("");
    },
  );

  const paths = allCommands().map(([path, entry]) => ({ path, line: path.join(" "), entry }));

  describe.each(paths)("of $line", ({ path, line, entry }) => {
    test.each([
      [...path, "-h"],
      [...path, "--help"],
      [...path, "-help"],
      ["help", ...path],
    ])("tsrunc %s %s %s", async (...argv) => {
      expect(await runCli(argv.filter((arg) => arg !== undefined))).toBe(0);
      const [name, program] = printed.stdout.split("\n");
      expect(name).toBe("NAME:");
      expect(program).toBe(`   tsrunc ${line} - ${entry.summary}`);
      expect(printed.stdout).toMatch(new RegExp(`^ {3}tsrunc ${line}( |$)`, "m"));
    });

    test("has an example that its own parser takes, and explains each option", async () => {
      const { parser } = await parserOf(path, entry);
      expect(parser.examples.length).toBeGreaterThan(0);
      for (const example of parser.examples) {
        const words = example.replace(/ >.*/, "").split(" ");
        const own = words.slice(words.indexOf(path[0] as string) + path.length);
        expect(parser.read(own)).not.toBeNull();
      }
      for (const { description } of parser.options) expect(description).toMatch(/\w/);
    });
  });

  test.each([
    ["mounts", "--help"],
    ["mounts", "-h"],
    ["help", "mounts"],
  ])("tsrunc %s %s lists the commands of the group", async (...argv) => {
    expect(await runCli(argv)).toBe(0);
    expect(printed.stdout).toMatch(/^NAME:\n {3}tsrunc mounts - /);
    expect(printed.stdout).toMatch(/^ {3}remove +remove mounts/m);
  });
});

describe("a command that does not exist", () => {
  test.each([["foo"], ["foo", "-h"], ["help", "foo"], ["init"], ["constructor"]])("tsrunc %s %s", async (...argv) => {
    expect(await runCli(argv.filter((arg) => arg !== undefined))).toBe(3);
    expect(printed.stderr).toContain(`No help topic for '${argv.at(argv[0] === "help" ? 1 : 0)}'`);
    expect(printed.stdout).toBe("");
  });

  test("a similar one is named", async () => {
    expect(await runCli(["creat", "web"])).toBe(3);
    expect(printed.stderr).toContain("No help topic for 'creat' (Did you mean create?)");
  });

  test("nor one of a group", async () => {
    expect(await runCli(["mounts", "ad", "web", "x.json"])).toBe(3);
    expect(printed.stderr).toContain("No help topic for 'ad' (Did you mean add?) (\\\"tsrunc help mounts\\\" lists");
  });

  test("a group by itself fails", async () => {
    expect(await runCli(["mounts"])).toBe(1);
    expect(printed.stderr).toContain("needs a command: add, remove");
  });
});

describe("version", () => {
  test.each(["--version", "-v", "-version", "-V"])("tsrunc %s", async (flag) => {
    expect(await runCli([flag])).toBe(0);
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect(printed.stdout).toMatch(
      new RegExp(`^tsrunc version ${version}\ncommit: \\w+\nspec: 1\\.3\\.0\nengine: bun [\\d.]+\n$`),
    );
  });

  test("has the word once, since Docker takes what surrounds the last one", async () => {
    await runCli(["--version"]);
    expect(printed.stdout.match(/version/g)).toHaveLength(1);
  });
});

describe("a usage error is one line that names the help", () => {
  const wrong: [argv: string[], message: string][] = [
    [["create", "--foo", "web"], "Incorrect Usage: unknown option '--foo' (see \"tsrunc help create\")"],
    [["--quux", "list"], "Incorrect Usage: unknown option '--quux' (see \"tsrunc help\")"],
    [["create", "--bundle"], 'Incorrect Usage: flag needs an argument: -b, --bundle <DIR> (see "tsrunc help create")'],
    [["create"], "Incorrect Usage: missing required argument 'container-id' (see \"tsrunc help create\")"],
    [["--root", "/", "start", "web"], "--root must not be /: it would hold a directory for each container"],
    [
      ["--rootless", "x", "start", "web"],
      "Incorrect Usage: option '--rootless <true|false|auto>' argument 'x' is invalid. true or false is expected. (see \"tsrunc help\")",
    ],
  ];
  test.each(wrong)("%j", async (argv, message) => {
    expect(await runCli(argv)).toBe(1);
    expect(printed.stderr).toContain(`msg=${JSON.stringify(message)}\n`);
    expect(printed.stderr.match(/\n/g)).toHaveLength(1);
    expect(printed.stdout).toBe("");
  });
});

describe("the context", () => {
  test("--root is made absolute", async () => {
    expect((await contextOf("--root", "sub/../r")).root).toBe(join(process.cwd(), "r"));
  });

  test("root's default is /run/tsrunc, whatever XDG_RUNTIME_DIR says", async ({ skip }) => {
    const wholeRange = /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));
    skip(process.geteuid?.() !== 0 || !wholeRange, "needs root in the initial user namespace");
    process.env["XDG_RUNTIME_DIR"] = directory;
    expect((await contextOf()).root).toBe("/run/tsrunc");
  });

  test("an ordinary user's default is in XDG_RUNTIME_DIR, sticky so that nobody tidies it away", async () => {
    process.env["XDG_RUNTIME_DIR"] = directory;
    vi.spyOn(process, "geteuid").mockReturnValue(1000);
    const { root } = await contextOf();
    vi.restoreAllMocks();
    expect(root).toBe(join(directory, "tsrunc"));
    expect(statSync(root).mode & 0o7777).toBe(0o1700);
  });

  test("a root that is given is not made", async () => {
    const { root } = await contextOf("--root", join(directory, "r"));
    expect(() => statSync(root)).toThrow("ENOENT");
  });

  const managers: [argv: string[], manager: string][] = [
    [[], "cgroupfs"],
    [["--systemd-cgroup"], "systemd"],
    [["--systemd-cgroup=false"], "cgroupfs"],
    [["--cgroup-manager=systemd"], "systemd"],
    [["--cgroup-manager", "disabled"], "disabled"],
    [["--systemd-cgroup", "--cgroup-manager", "disabled"], "disabled"],
  ];
  test.each(managers)("%j: cgroups by %s", async (argv, manager) => {
    expect((await contextOf(...argv)).cgroupManager).toBe(manager);
  });

  const rootless: [argv: string[], value: boolean | null][] = [
    [[], null],
    [["--rootless", "auto"], null],
    [["--rootless=true"], true],
    [["--rootless", "false"], false],
  ];
  test.each(rootless)("%j: rootless %s", async (argv, value) => {
    expect((await contextOf(...argv)).rootless).toBe(value);
  });

  test("--criu is accepted", async () => {
    await contextOf("--criu", "/usr/sbin/criu");
  });
});

describe("the log", () => {
  const file = () => join(directory, "log");
  const fail = (message: string) => {
    runtime.start = () => {
      throw new Error(message);
    };
  };
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);

  test("an error that repeats a long value keeps its beginning and its end, here and there", async () => {
    fail(`/mounts/0: ${"x".repeat(280_000)}: must not contain a null byte`);
    await runCli(["--log", file(), "--log-format", "json", "start", "web"]);
    const { msg } = JSON.parse(readFileSync(file(), "utf8")) as { msg: string };
    expect(msg).toMatch(/^\/mounts\/0: x+…x+: must not contain a null byte$/);
    expect(msg).toHaveLength(4096);
    expect(printed.stderr).toBe(`${msg}\n`);
  });

  test("an error is the last record of --log, and a plain line on stderr", async () => {
    fail("container not running");
    expect(await runCli(["--log", file(), "--log-format", "json", "start", "web"])).toBe(1);
    expect(JSON.parse(readFileSync(file(), "utf8"))).toEqual({ level: "error", msg: "container not running", time });
    expect(printed.stderr).toBe("container not running\n");
  });

  test("records are appended, one a line", async () => {
    fail("no");
    for (let time = 0; time < 2; time++) await runCli(["--log", file(), "--log-format", "json", "start", "web"]);
    const lines = readFileSync(file(), "utf8").trimEnd().split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(["no", "no"]);
  });

  test("the text format is logrus's", async () => {
    fail('exec: "x": not found');
    await runCli(["--log", file(), "start", "web"]);
    expect(readFileSync(file(), "utf8")).toMatch(/^time="[^"]+Z" level=error msg="exec: \\"x\\": not found"\n$/);
  });

  test("without --log the record goes to stderr, in the format that was asked for", async () => {
    fail("no");
    await runCli(["--log-format", "json", "start", "web"]);
    expect(JSON.parse(printed.stderr)).toEqual({ level: "error", msg: "no", time });
  });

  test("a usage error is in it, too", async () => {
    await runCli(["--log", file(), "--log-format", "json", "create", "--foo"]);
    expect(JSON.parse(readFileSync(file(), "utf8"))).toMatchObject({
      level: "error",
      msg: expect.stringContaining("--foo"),
    });
    await runCli(["--log", file(), "nonsense"]);
    expect(readFileSync(file(), "utf8")).toContain("No help topic for 'nonsense'");
  });

  test("an error of several lines becomes one: Podman keeps one line", async () => {
    fail("first\n  second\n");
    await runCli(["--log", file(), "start", "web"]);
    expect(printed.stderr).toBe("first; second\n");
  });

  const levels: [argv: string[], written: string[]][] = [
    [[], ["info", "warning"]],
    [["--debug"], ["debug", "info", "warning"]],
    [
      ["--log-level", "debug"],
      ["debug", "info", "warning"],
    ],
    [["--log-level=info"], ["info", "warning"]],
    [["--log-level=warning"], ["warning"]],
    [["--log-level", "warn"], ["warning"]],
    [["--log-level=error"], []],
  ];
  test.each(levels)("%j writes %j", async (argv, written) => {
    runtime.start = ({ log }) => {
      log.debug("a");
      log.info("b");
      log.warn("c");
    };
    expect(await runCli(["--log", file(), "--log-format", "json", ...argv, "start", "web"])).toBe(0);
    const lines = readFileSync(file(), "utf8")
      .split("\n")
      .filter((line) => line !== "");
    expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(written);
    expect(printed.stderr).toBe("");
  });

  test("a stack is shown with --debug only", async () => {
    fail("no");
    await runCli(["start", "web"]);
    expect(printed.stderr).not.toContain("cli.test.ts");
    await runCli(["--debug", "start", "web"]);
    expect(printed.stderr).toMatch(/level=debug msg=".*cli\.test\.ts/);
  });

  test("an error of the program itself says so", async () => {
    runtime.start = () => {
      throw new TypeError("x is undefined");
    };
    await runCli(["--log", file(), "start", "web"]);
    expect(printed.stderr).toBe("internal error: x is undefined (--debug shows where)\n");
  });

  test("file: before the path is crun's", async () => {
    fail("no");
    await runCli(["--log", `file:${file()}`, "start", "web"]);
    expect(readFileSync(file(), "utf8")).toContain("msg=no");
  });

  test.each(["/dev/stderr", "/proc/self/fd/2", "/dev/fd/2"])("--log %s says an error once", async (path) => {
    fail("no such thing");
    await runCli(["--log", path, "start", "web"]);
    expect(printed.stderr).toMatch(/^time=.* msg="no such thing"\n$/);
  });

  describe("a log that cannot be opened stops the command, with a clear error", () => {
    test.each([
      ["in a directory that is not there", "none/log", "open the log .*/none/log: ENOENT: no such file or directory"],
      ["a directory", "", "open the log .*: EISDIR"],
    ])("%s", async (_, name, message) => {
      let started = false;
      runtime.start = () => {
        started = true;
      };
      mkdirSync(join(directory, "sub"));
      expect(await runCli(["--log", join(directory, name), "start", "web"])).toBe(1);
      expect(printed.stderr).toMatch(new RegExp(`msg="${message}`));
      expect(started).toBe(false);
    });

    test("a descriptor that is not open", async () => {
      expect(await runCli(["--log", "/proc/self/fd/987", "start", "web"])).toBe(1);
      expect(printed.stderr).toMatch(/msg="open the log \/proc\/self\/fd\/987: EBADF/);
    });

    test.skipIf(existsSync("/run/systemd/journal/socket"))("a journald that is not there", async () => {
      expect(await runCli(["--log", "journald:x", "start", "web"])).toBe(1);
      expect(printed.stderr).toContain("there is no journald here");
    });
  });

  describe("at a terminal", () => {
    beforeEach(() => {
      terminals.add(2);
      process.env["NO_COLOR"] = "1";
    });

    test("an error is a plain line", async () => {
      fail('no "such" thing');
      expect(await runCli(["start", "web"])).toBe(1);
      expect(printed.stderr).toBe('tsrunc start: no "such" thing\n');
    });

    test("one that belongs to no command, too", async () => {
      await runCli(["--quux"]);
      expect(printed.stderr).toMatch(/^tsrunc: Incorrect Usage: unknown option '--quux'/);
      await runCli(["creat"]);
      expect(printed.stderr).toMatch(/^tsrunc: No help topic for 'creat' \(Did you mean create\?\)/m);
    });

    test("a warning says so", async () => {
      runtime.start = ({ log }) => log.warn("odd");
      await runCli(["start", "web"]);
      expect(printed.stderr).toBe("tsrunc start: warning: odd\n");
    });

    test("colour is for the beginning only", async () => {
      delete process.env["NO_COLOR"];
      process.env["TERM"] = "xterm";
      fail("no");
      await runCli(["start", "web"]);
      expect(printed.stderr).toBe("\x1b[31mtsrunc start:\x1b[0m no\n");
    });

    test("nothing in a message steers it", async () => {
      fail("a\x1b[2Jb\x9bc\x7fd");
      await runCli(["start", "web"]);
      expect(printed.stderr).toBe("tsrunc start: a\\x1b[2Jb\\x9bc\\x7fd\n");
    });

    test("with --log-format it is the record that programs read", async () => {
      fail("no");
      await runCli(["--log-format", "text", "start", "web"]);
      expect(printed.stderr).toMatch(/^time="[^"]+" level=error msg=no\n$/);
    });

    test("with --log the file gets the record, and the terminal the line", async () => {
      fail("no");
      await runCli(["--log", file(), "start", "web"]);
      expect(readFileSync(file(), "utf8")).toMatch(/^time="[^"]+" level=error msg=no\n$/);
      expect(printed.stderr).toBe("tsrunc start: no\n");
    });
  });
});
