import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  directory,
  isTsrunc,
  makeBundle,
  newId,
  refused,
  runtime,
  stateRoot,
  succeed,
  tsrunc,
  useContainers,
  writeConfig,
} from "./harness.ts";

useContainers();

/** A command that must be refused with one line. @returns the line */
function oneLine(args: string[], options?: Parameters<typeof refused>[1]): string {
  const error = refused(args, options);
  expect(error.trimEnd().split("\n"), "one line on stderr").toHaveLength(1);
  return error;
}

describe.each(["create", "run"])("%s refuses, in one line and leaving nothing,", (command) => {
  test("a bundle that does not exist", () => {
    expect(oneLine([command, "--bundle", "/no/such/bundle", newId()])).toMatch(/\/no\/such\/bundle/);
  });

  test("a bundle that is a file", () => {
    const file = join(directory(), "file");
    writeFileSync(file, "");
    expect(oneLine([command, "--bundle", file, newId()])).toMatch(/not a directory/i);
  });

  test("a bundle without config.json", () => {
    const empty = join(directory(), "empty");
    mkdirSync(empty);
    expect(oneLine([command, "--bundle", empty, newId()])).toMatch(/config\.json/);
  });

  test.each([
    ["no JSON at all", "hello"],
    ["half of a document", '{"ociVersion": "1.0.2", "process": {'],
    ["an empty file", ""],
  ])("a config.json that is %s", (_, text) => {
    const bundle = makeBundle("true");
    writeFileSync(join(bundle.path, "config.json"), text);
    expect(oneLine([command, "--bundle", bundle.path, newId()])).not.toBe("");
  });

  test("a missing rootfs, by its path", () => {
    const bundle = makeBundle("true", (config) => Object.assign(config.root, { path: "elsewhere" }));
    expect(oneLine([command, "--bundle", bundle.path, newId()])).toMatch(/elsewhere/);
  });

  test("a rootfs that is a file", () => {
    const bundle = makeBundle("true", (config) => Object.assign(config.root, { path: "config.json" }));
    const error = oneLine([command, "--bundle", bundle.path, newId()]);
    if (isTsrunc) expect(error).toMatch(/config\.json/);
  });

  test.each(["../x", "a/b", "..", "", "a b", "x\ny"])("the id %j", (id) => {
    expect(oneLine([command, "--bundle", makeBundle("true").path, id])).toMatch(/id/);
    expect(readdirSync(directory()).filter((name) => name === "x")).toEqual([]);
  });

  test("a config without args", () => {
    const bundle = makeBundle("true");
    const { args: _, ...process } = bundle.config.process;
    Object.assign(bundle.config, { process });
    writeConfig(bundle);
    expect(oneLine([command, "--bundle", bundle.path, newId()])).toMatch(/args/i);
  });

  test("a --root below a file", () => {
    const file = join(directory(), "file");
    writeFileSync(file, "");
    const bundle = makeBundle("true").path;
    expect(oneLine([command, "--bundle", bundle, newId()], { root: join(file, "state") })).toMatch(/file/);
  });
});

describe("a --root", () => {
  /** Mounts a tmpfs, calls back, and unmounts it. */
  function onTmpfs(options: string, act: (path: string) => void): void {
    const path = join(directory(), "mounted");
    mkdirSync(path);
    execFileSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path]);
    try {
      act(path);
    } finally {
      execFileSync("umount", [path]);
      rmSync(path, { recursive: true });
    }
  }

  test("that is read-only is refused, and nothing is left", () => {
    onTmpfs("ro", (root) => {
      const error = oneLine(["create", "--bundle", makeBundle("true").path, newId()], { root });
      expect(error).toMatch(/read-only file system/i);
      expect(error).toContain(root);
    });
  });

  test("on a full disk is refused, and nothing is left", () => {
    onTmpfs("size=4k", (root) => {
      writeFileSync(join(root, "filler"), Buffer.alloc(4096));
      const error = oneLine(["create", "--bundle", makeBundle("true").path, newId()], { root });
      if (isTsrunc) expect(error).toMatch(/no space left|ENOSPC/i);
      expect(readdirSync(root)).toEqual(["filler"]);
    });
  });
});

describe("the command line", () => {
  test("refuses an unknown command", () => {
    const { code, stderr, stdout } = tsrunc(["no-such-command"]);
    expect(code).not.toBe(0);
    expect(stderr + stdout).toMatch(/no-such-command/);
  });

  test("refuses an unknown option", () => {
    const { code, stderr } = tsrunc(["create", "--no-such-option", newId()]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/no-such-option/);
  });

  test("refuses a missing id", () => {
    expect(refused(["state"])).toContain("container-id");
  });

  test("prints its version", () => {
    const { code, stdout } = tsrunc(["--version"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/version \d+\.\d+\.\d+[\s\S]*spec: \d+\.\d+\.\d+/);
  });
});

describe.runIf(isTsrunc)("an error of the configuration", () => {
  test("gives the JSON pointer and the value", () => {
    const bundle = makeBundle("true", (config) => Object.assign(config.process, { cwd: "relative" }));
    const error = oneLine(["create", "--bundle", bundle.path, newId()]);
    expect(error).toMatch(/\/process\/cwd/);
    expect(error).toMatch(/relative/);
  });
});

describe.runIf(isTsrunc)("output that cannot be written", () => {
  const shell = (script: string) => spawnSync("sh", ["-c", script, runtime, stateRoot()], { encoding: "utf8" });

  test.each([
    ["list", "> /dev/full", "ENOSPC: no space left on device"],
    ["state ID", "> /dev/full", "ENOSPC: no space left on device"],
    ["list", ">&-", "EBADF: bad file descriptor"],
    ["list --quiet", ">&-", "EBADF: bad file descriptor"],
    ["state ID", ">&-", "EBADF: bad file descriptor"],
    ["ps ID", ">&-", "EBADF: bad file descriptor"],
    ["events --stats ID", ">&-", "EBADF: bad file descriptor"],
    ["features", ">&-", "EBADF: bad file descriptor"],
    ["--version", ">&-", "EBADF: bad file descriptor"],
  ])("fails the command that has nothing else to do: %s %s", (command, redirection, reason) => {
    const id = newId();
    succeed(["create", "--bundle", makeBundle("true").path, id]);
    const { status, stderr } = shell(`exec "$0" --root "$1" ${command.replace("ID", id)} ${redirection}`);
    expect(status).toBe(1);
    expect(stderr).toContain(`write to standard output: ${reason}`);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });

  test.each([
    "list",
    "list --quiet",
    "state ID",
    "ps ID",
    "events --stats ID",
    "features",
    "--version",
    "--help",
    "run --help",
  ])("because nobody reads it any more ends a command without a word, as SIGPIPE would: %s", (command) => {
    const id = newId();
    succeed(["create", "--bundle", makeBundle("true").path, id]);
    const fifo = join(directory(), "fifo");
    // A pipe whose only reader has gone.
    const unread = `mkfifo ${fifo}; exec 3<> ${fifo} 4> ${fifo} 3<&-`;
    const done = shell(`${unread}; exec "$0" --root "$1" ${command.replace("ID", id)} >&4`);
    expect(done).toMatchObject({ status: 141, stderr: "" });
  });

  test("is one thing, and what is said on stderr another: that nobody reads it changes nothing", () => {
    const id = newId();
    succeed(["create", "--bundle", makeBundle("true").path, id]);
    for (const stderr of ["2>&-", "2>/dev/full"])
      expect(shell(`exec "$0" --root "$1" --debug state ${id} ${stderr}`)).toMatchObject({
        status: 0,
        stdout: expect.stringContaining('"created"'),
      });
  });

  test("fails no container, nor one that writes nothing", () => {
    const { path } = makeBundle("exit 3");
    expect(shell(`exec "$0" --root "$1" run --bundle ${path} ${newId()} >&- <&-`)).toMatchObject({
      status: 3,
      stderr: "",
    });
    expect(shell(`exec "$0" --root "$1" list 1<> /dev/null`)).toMatchObject({ status: 0, stderr: "" });
  });

  test("of the log is said on stderr, once, and the command goes on", () => {
    const { path } = makeBundle("true");
    const warned = shell(`exec "$0" --root "$1" --debug --log /dev/full run --bundle ${path} ${newId()}`);
    const said = "tsrunc: cannot write to the log: ENOSPC: no space left on device\n";
    expect(warned).toMatchObject({ status: 0, stderr: said });
    const failed = shell(`exec "$0" --root "$1" --log /dev/full run --bundle /no/such ${newId()}`);
    expect(failed).toMatchObject({
      status: 1,
      stderr: `${said}tsrunc run failed: bundle: /no/such: no such file or directory\n`,
    });
  });
});
