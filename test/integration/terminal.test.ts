import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { withWrongSockets } from "../support/wrong-sockets.ts";
import {
  cannotRun,
  commandLine,
  commandTimeout,
  directory,
  hasProgram,
  isTsrunc,
  makeBundle,
  newId,
  refused,
  startDetached,
  succeed,
  tsrunc,
  until,
  useContainers,
} from "./harness.ts";

useContainers();

beforeEach(({ skip }) => {
  if (cannotRun() === null && !hasProgram("python3")) skip("needs python3");
});

/** Runs the runtime on a terminal of 33 rows and 99 columns; `input` is typed once it shows "ready". */
function onTerminal(args: string[], input = ""): { code: number; shown: string } {
  const script = "test/support/with-pty.py";
  const done = spawnSync("python3", [script, "33", "99", input, ...commandLine(args)], {
    encoding: "utf8",
    timeout: commandTimeout,
    killSignal: "SIGKILL",
  });
  return { code: done.status ?? -1, shown: done.stdout.replaceAll("\r", "") };
}

/** Waits on a console socket, as an engine does. */
function listen(input: string[] = []): { path: string; output: () => string; child: ChildProcess } {
  const path = join(directory(), "console.sock");
  const file = join(directory(), "console.out");
  const child = spawn("python3", ["test/support/console-socket.py", path, file, ...input], { stdio: "ignore" });
  const output = (): string => (existsSync(file) ? readFileSync(file, "utf8").replaceAll("\r", "") : "");
  return { path, output, child };
}

function terminalBundle(script: string): string {
  return makeBundle(script, (config) => Object.assign(config.process, { terminal: true })).path;
}

describe("a terminal in the foreground", () => {
  test("is the process's stdin, stdout and stderr, of the size of the caller's", () => {
    const script = 'for fd in 0 1 2; do test -t $fd && echo "$fd is a terminal"; done; tty; stty size';
    const { code, shown } = onTerminal(["run", "--bundle", terminalBundle(script), newId()]);
    expect(code).toBe(0);
    expect(shown).toContain("0 is a terminal\n1 is a terminal\n2 is a terminal\n");
    expect(shown).toContain("33 99\n");
  });

  test("takes what is typed, and is restored at the end", () => {
    const script = 'echo ready; read line; echo "got $line"; exit 5';
    const { code, shown } = onTerminal(["run", "--bundle", terminalBundle(script), newId()], "typed\\n");
    expect(code).toBe(5);
    expect(shown).toContain("got typed");
    expect(shown).toMatch(/\nrestored\n/);
  });

  test("sends ^C to the container, not to the runtime", () => {
    const script = "trap 'echo interrupted; exit 9' INT; echo ready; while :; do sleep 0.1; done";
    const { code, shown } = onTerminal(["run", "--bundle", terminalBundle(script), newId()], "\\x03");
    expect(shown).toContain("interrupted");
    expect(code).toBe(9);
  });

  test("exec --tty gives one to the process", () => {
    const id = startDetached();
    const { code, shown } = onTerminal(["exec", "--tty", id, "sh", "-c", "test -t 0 && stty size; exit 6"]);
    expect(code).toBe(6);
    expect(shown).toContain("33 99\n");
  });
});

describe("--console-socket", () => {
  test("receives the terminal's master", async () => {
    const console = listen();
    await until("the socket", () => existsSync(console.path));
    const id = newId();
    const bundle = terminalBundle("test -t 1 && echo on a terminal");
    succeed(["create", "--bundle", bundle, "--console-socket", console.path, id]);
    succeed(["start", id]);
    await until("the terminal closes", () => console.output().includes("closed"));
    expect(console.output()).toMatch(/descriptors=1\n/);
    expect(console.output()).toContain("on a terminal\n");
  });

  test("of a detached exec receives that process's terminal", async () => {
    const id = startDetached();
    const console = listen();
    await until("the socket", () => existsSync(console.path));
    succeed(["exec", "--tty", "--detach", "--console-socket", console.path, id, "sh", "-c", "test -t 0 && echo yes"]);
    await until("the terminal closes", () => console.output().includes("closed"));
    expect(console.output()).toContain("yes\n");
  });

  test("is needed by a detached container with a terminal", () => {
    expect(refused(["create", "--bundle", terminalBundle("true"), newId()])).toMatch(/console.?socket/i);
  });

  test("is refused without a terminal", () => {
    const bundle = makeBundle("true").path;
    const error = refused(["create", "--bundle", bundle, "--console-socket", "/no/such", newId()]);
    expect(error).toMatch(/console.?socket/i);
  });

  test.each([
    ["that nobody listens on", "gone", /gone: nobody listens/],
    ["of datagrams", "datagram", /datagram: this is not a stream socket/],
    ["of packets", "packet", /packet: this is not a stream socket/],
    ["that is a file", "file", /file: this is not a socket/],
    ["that is not there", "missing", /missing: there is no such socket/],
    ["whose listener hangs up", "closing", /closed the connection/],
  ])("%s fails create, and leaves nothing", async (_, name, words) => {
    await withWrongSockets(directory(), () => {
      const args = ["--bundle", terminalBundle("true"), "--console-socket", join(directory(), name)];
      const error = refused(["create", ...args, newId()]);
      expect(error.trim().split("\n")).toHaveLength(1);
      if (isTsrunc) expect(error).toMatch(words);
      expect(succeed(["list", "-q"])).toBe("");
    });
  });
});

test.runIf(isTsrunc)("consoleSize is the size of a terminal that has no other", async () => {
  const console = listen();
  await until("the socket", () => existsSync(console.path));
  const bundle = makeBundle("stty size", (config) => {
    Object.assign(config.process, { terminal: true, consoleSize: { height: 12, width: 34 } });
  });
  const { code } = tsrunc(["run", "--detach", "--bundle", bundle.path, "--console-socket", console.path, newId()]);
  expect(code).toBe(0);
  await until("the terminal closes", () => console.output().includes("closed"));
  expect(console.output()).toContain("12 34\n");
});
