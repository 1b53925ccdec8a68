/** What the launcher makes of the caller's arguments, environment and limits: seen by a busybox in the engine's place. */

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildLauncher } from "../../src/engine/build.ts";
import { isSnapshot } from "../../src/engine/snapshot.ts";
import { whyNotPrivileged } from "../support/privileges.ts";
import { whyNotTraced } from "../support/tracing.ts";
import { hasProgram, runtime } from "./harness.ts";

const busybox = resolve("build/busybox");
const reason =
  process.env.TSRUNC !== undefined ? "for tsrunc only" : existsSync(busybox) ? null : "needs build/busybox";

const MIB = 2 ** 20;
const machine = process.arch === "arm64" ? "aarch64" : "x86_64";

test.skipIf(!existsSync(`${runtime}-engine`))(
  "the engine has no more program headers than Linux 6.1 takes: a page of them",
  () => {
    const file = openSync(`${runtime}-engine`, "r");
    const header = Buffer.alloc(64);
    readSync(file, header, 0, header.length, 0);
    closeSync(file);
    const [size, count] = [header.readUInt16LE(54), header.readUInt16LE(56)]; // e_phentsize, e_phnum
    expect(count).toBeGreaterThan(0);
    expect(size * count).toBeLessThanOrEqual(4096);
  },
);

describe.skipIf(reason !== null).each([
  ["an engine", "engine"],
  ["a snapshot", "snapshot"],
  ["an engine that starts anew out of a snapshot's file", "plain"],
] as const)(`the launcher of %s (${reason ?? ""})`, (_, launched) => {
  let directory: string;
  let launcher: string;
  let engine: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "tsrunc-launcher-"));
    launcher = join(directory, launched === "plain" ? "tsrunc-plain" : "tsrunc");
    engine = join(directory, "tsrunc-engine");
    chmodSync(directory, 0o755);
    writeFileSync(launcher, buildLauncher(machine, launched), { mode: 0o755 });
    copyFileSync(busybox, engine);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  /** Launches the busybox; `argv0` is the applet. */
  const launch = (argv0: string, args: readonly string[], env: Record<string, string> = {}) =>
    spawnSync(launcher, args, { argv0, env, encoding: "utf8" });

  test("passes the arguments on as they are", () => {
    expect(launch("printf", ["<%s>", "a", "b c", "", "--x"]).stdout).toBe("<a><b c><><--x>");
  });

  test("passes the environment on in its order, and tells the engine what it needs", () => {
    const lines = launch("env", [], { B: "2", A: "1", BUN: "3" }).stdout.trim().split("\n");
    expect(lines.slice(0, 3)).toEqual(["B=2", "A=1", "BUN=3"]);
    expect(lines).toContain(`_TSRUNC_ENGINE=${engine}`);
    // What a snapshot has read when it was started is no use to it now.
    expect(lines.includes("BUN_JSC_useJIT=0")).toBe(launched !== "snapshot");
    expect(lines.includes("_TSRUNC_PLAIN=1")).toBe(launched === "plain");
  });

  test("takes from the caller nothing that the engine would obey", () => {
    const { stdout } = launch("env", [], { BUN_OPTIONS: "--smol", BUN_JSC_useJIT: "1", _TSRUNC_STAGE: "forged" });
    expect(stdout).not.toMatch(/BUN_OPTIONS|useJIT=1|forged/);
  });

  test("opens /dev/null where the caller has closed a standard stream", () => {
    const script = `exec -a readlink "$0" /proc/self/fd/0 0<&- 2>&-`;
    expect(spawnSync("bash", ["-c", script, launcher], { encoding: "utf8" }).stdout).toBe("/dev/null\n");
  });

  test("tells the soft limit of open files", () => {
    const script = `ulimit -Sn 321; exec -a env "$0"`;
    const { stdout } = spawnSync("bash", ["-c", script, launcher], { encoding: "utf8" });
    expect(stdout).toMatch(/^_TSRUNC_NOFILE=0x0000000000000141$/m);
  });

  test.skipIf(whyNotPrivileged() !== null)(
    "runs the engine from a mount that has no path and cannot be written to",
    () => {
      const script = 'exec 2>&1; echo "$_TSRUNC_STAGE"; readlink /proc/$$/exe; : > /proc/$$/exe';
      expect(launch("sh", ["-c", script]).stdout).toMatch(/^sealed\n\/\n.*Read-only file system/);
    },
  );

  test.skipIf(process.getuid?.() !== 0 || !hasProgram("setpriv"))("tells when it could not seal the engine", () => {
    const user = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    const args = [...user, "bash", "-c", `exec -a env "$0"`, launcher];
    expect(spawnSync("setpriv", args, { encoding: "utf8" }).stdout).toMatch(/^_TSRUNC_STAGE=unsealed$/m);
  });

  test.each([
    ["-v", "address space", { whole: 64 * MIB, data: 0 }],
    ["-d", "data", { whole: 0, data: 64 * MIB }],
  ])("says that the limit %s is too low for the engine, instead of dying without a word", (option, words, needs) => {
    writeFileSync(launcher, buildLauncher(machine, launched, needs), { mode: 0o755 });
    const under = (kib: string) =>
      spawnSync("bash", ["-c", `ulimit ${option} ${kib}; exec -a echo "$0" ran`, launcher], { encoding: "utf8" });
    expect(under("65536")).toMatchObject({
      status: 1,
      stdout: "",
      stderr: `tsrunc: cannot run: the limit of the ${words} (ulimit ${option}) is too low\n`,
    });
    for (const enough of ["70000", "unlimited"]) {
      expect(under(enough)).toMatchObject({ status: 0, stdout: "ran\n", stderr: "" });
    }
  });

  test("says which file is missing", () => {
    rmSync(engine);
    const { status, stderr } = launch("true", []);
    expect(status).toBe(1);
    expect(stderr).toBe(`tsrunc: cannot execute the engine, which belongs beside tsrunc: ${engine}\n`);
  });

  const isRoot = process.getuid?.() === 0;
  const bytes = 12 * 2 ** 20;
  for (const [what, skipped, least] of [
    ["the whole engine", 0, bytes],
    // The kernel lets go of what has not been used for long, and keeps the rest.
    ["what is not cached of the engine", 9 * 2 ** 20, bytes],
  ] as const) {
    test.skipIf(!isRoot || !hasProgram("fincore"))(`reads ${what}, whether it is used or not`, ({ skip }) => {
      const large = join(directory, launched === "plain" ? "large-plain" : "large");
      const file = join(directory, "large-engine");
      copyFileSync(launcher, large);
      // What the program itself touches is at its beginning.
      writeFileSync(file, Buffer.concat([readFileSync(busybox), Buffer.alloc(bytes, "x")]), { mode: 0o755 });
      const cached = () => Number(spawnSync("fincore", ["-b", "-n", "-o", "RES", file], { encoding: "utf8" }).stdout);
      spawnSync("dd", [`of=${file}`, "conv=notrunc,fdatasync", "count=0"]);
      const forget = ["oflag=nocache,seek_bytes", `seek=${skipped}`, "bs=1", "conv=notrunc", "count=0"];
      spawnSync("dd", ["if=/dev/null", `of=${file}`, ...forget]);
      if (cached() > skipped + 2 ** 20) skip("the temporary directory is kept in memory");
      expect(spawnSync(large, [], { argv0: "true" }).status).toBe(0);
      expect(cached()).toBeGreaterThan(least);
    });
  }
});

const noSnapshot = process.env.TSRUNC !== undefined ? "for tsrunc only" : whyNotTraced();

test.skipIf(noSnapshot !== null)(`the engine is one that is started already (${noSnapshot ?? ""})`, () => {
  expect(isSnapshot(readFileSync(`${runtime}-engine`))).toBe(true);
});
