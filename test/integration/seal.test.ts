/** Where the init of a container runs from: never from a file that the container could write to. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { cannotRun, hasProgram, runtime } from "./harness.ts";

const NOBODY = 65534;
test.skipIf(cannotRun() !== null)("nothing is started from where other users can write", () => {
  const home = mkdtempSync(join(tmpdir(), "tsrunc-seal-"));
  try {
    cpSync(dirname(runtime), join(home, "dist"), { recursive: true });
    const run = () => spawnSync(join(home, "dist/tsrunc"), ["run", "--bundle", home, "c1"], { encoding: "utf8" });
    // A snapshot says it in the log's form, a plain engine, which has nothing but its own file yet, without.
    const refusal = (path: string) =>
      `${path} can be written by other users: refusing to run from it (see docs/install.md)`;
    chmodSync(join(home, "dist"), 0o777);
    expect(run()).toMatchObject({ status: 1, stderr: expect.stringContaining(refusal(join(home, "dist"))) });
    chmodSync(join(home, "dist"), 0o755);
    chmodSync(join(home, "dist/tsrunc-engine"), 0o775);
    expect(run()).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(refusal(join(home, "dist/tsrunc-engine"))),
    });
    chmodSync(join(home, "dist/tsrunc-engine"), 0o755);
    for (const name of ["", "/tsrunc", "/tsrunc-engine"]) {
      const path = join(home, `dist${name}`);
      // root would run what another user can change.
      chownSync(path, NOBODY, NOBODY);
      expect(run()).toMatchObject({ status: 1, stderr: expect.stringContaining(refusal(path)) });
      chownSync(path, 0, 0);
    }
    // The sticky bit says something of directories only.
    chmodSync(join(home, "dist/tsrunc"), 0o1777);
    expect(run().stderr).toContain(refusal(join(home, "dist/tsrunc")));
    chmodSync(join(home, "dist/tsrunc"), 0o755);
    expect(run().stderr).toContain("config.json");
  } finally {
    rmSync(home, { recursive: true });
  }
});

const launchers = ["tsrunc", "tsrunc-plain"].filter((name) => existsSync(join(dirname(runtime), name)));

describe.skipIf(cannotRun() !== null).each(launchers)("in a directory whose name is not UTF-8, %s", (launcher) => {
  /** Executes a script with a copy of the executable in `$d`. */
  function inOddDirectory(script: string) {
    const home = mkdtempSync(join(tmpdir(), "tsrunc-seal-"));
    try {
      const copied = `d="$0/$(printf 'x\\377')"; cp -R "$1" "$d"; ${script}`;
      const args = ["-c", copied, home, dirname(runtime), launcher];
      const { status, stdout, stderr } = spawnSync("sh", args, { encoding: "utf8" });
      return { status, stdout, stderr };
    } finally {
      rmSync(home, { recursive: true });
    }
  }

  test("is not started where other users can write", () => {
    const { status, stderr } = inOddDirectory('chmod 777 "$d"; exec "$d/$2" run --bundle "$0" c1');
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining("can be written by other users") });
  });

  test("works, and so do the commands of images", () => {
    const script = 'set -e; "$d/$2" features; "$d/$2" image list --store "$0/store"';
    const { status, stdout, stderr } = inOddDirectory(script);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/"ociVersionMax".*REPOSITORY/s);
  });
});

test.skipIf(cannotRun() !== null)("the engine does not run by itself", () => {
  const { status, stderr } = spawnSync(`${runtime}-engine`, ["list"], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: "tsrunc: this is the engine: execute tsrunc, which is beside it\n",
  });
});

const reason = cannotRun() ?? (hasProgram("setpriv") ? null : "needs setpriv");

test.skipIf(reason !== null)(`tsrunc does not run set-user-ID or set-group-ID (${reason ?? ""})`, () => {
  const home = mkdtempSync(join(tmpdir(), "tsrunc-seal-"));
  try {
    chmodSync(home, 0o755);
    cpSync(dirname(runtime), join(home, "dist"), { recursive: true });
    mkdirSync(join(home, "none"));
    const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
    const list = () => {
      const args = [...user, join(home, "dist/tsrunc"), "--root", join(home, "none"), "list"];
      return spawnSync("setpriv", args, { encoding: "utf8" });
    };
    expect(list()).toMatchObject({ status: 0, stderr: "" });
    for (const name of ["tsrunc", "tsrunc-engine"]) {
      for (const mode of [0o4755, 0o2755]) {
        chmodSync(join(home, "dist", name), mode);
        expect(list()).toMatchObject({ status: 1, stdout: "", stderr: expect.stringContaining("refusing to run") });
      }
      chmodSync(join(home, "dist", name), 0o755);
    }
  } finally {
    rmSync(home, { recursive: true });
  }
});

test.skipIf(reason !== null)(
  `an ordinary user's init runs from a mount, not from a copy in memory (${reason ?? ""})`,
  () => {
    const home = mkdtempSync(join(tmpdir(), "tsrunc-seal-"));
    try {
      chmodSync(home, 0o755);
      cpSync(dirname(runtime), join(home, "dist"), { recursive: true });
      const bundle = join(home, "bundle");
      mkdirSync(join(bundle, "rootfs", "bin"), { recursive: true });
      writeFileSync(join(bundle, "rootfs", "bin", "sh"), "", { mode: 0o755 });
      for (const path of [bundle, join(bundle, "rootfs")]) chownSync(path, NOBODY, NOBODY);
      const script = `cd "$1" && t="$2/dist/tsrunc --root $1/state" && $t spec --rootless &&
      sed -i 's/"terminal": true/"terminal": false/' config.json && $t create c1 < /dev/null > out 2>&1 || exec cat out
      readlink /proc/$($t state c1 | sed -n 's/.*"pid": *\\([0-9]*\\).*/\\1/p')/exe; $t delete --force c1`;
      const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
      const output = execFileSync("setpriv", [...user, "bash", "-c", script, "bash", bundle, home], {
        encoding: "utf8",
      });
      // A detached mount has no path.
      expect(output.trim()).toBe("/");
    } finally {
      rmSync(home, { recursive: true });
    }
  },
);

test.skipIf(reason !== null)(`an ordinary user's exec has the oom_score_adj that it asks for (${reason ?? ""})`, () => {
  const home = mkdtempSync(join(tmpdir(), "tsrunc-seal-"));
  try {
    chmodSync(home, 0o755);
    cpSync(dirname(runtime), join(home, "dist"), { recursive: true });
    const bundle = join(home, "bundle");
    mkdirSync(join(bundle, "rootfs", "bin"), { recursive: true });
    copyFileSync("build/busybox", join(bundle, "rootfs", "bin", "sh"));
    for (const path of [bundle, join(bundle, "rootfs")]) chownSync(path, NOBODY, NOBODY);
    const rlimits = [{ type: "RLIMIT_CORE", soft: 1, hard: 1 }];
    const process = {
      args: ["sh", "-c", "read s < /proc/self/oom_score_adj; echo $s"],
      cwd: "/",
      oomScoreAdj: 321,
      rlimits,
    };
    writeFileSync(join(bundle, "process.json"), JSON.stringify({ ...process, env: ["PATH=/bin"] }), { mode: 0o644 });
    const script = `cd "$1" && t="$2/dist/tsrunc --root $1/state" && $t spec --rootless &&
      sed -i 's/"terminal": true/"terminal": false/' config.json && $t create c1 < /dev/null > out 2>&1 || exec cat out
      $t exec --process process.json c1 2>&1; $t delete --force c1`;
    const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
    const args = [...user, "bash", "-c", script, "bash", bundle, home];
    expect(execFileSync("setpriv", args, { encoding: "utf8" })).toBe("321\n");
  } finally {
    rmSync(home, { recursive: true });
  }
});
