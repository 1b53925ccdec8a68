/**
 * Images of an ordinary user who has one id to map, pulled, loaded, bundled, run and removed; and in a user namespace with ranges of ids that
 * somebody else has made, as engines do. What an ordinary user with ranges gets by itself is in `rootless.test.ts`.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { unmountBelow } from "../image/support.ts";
import { makeRootfs } from "../support/rootfs.ts";
import { tar } from "../support/tar-writer.ts";
import { cannotRun, hasProgram, runtime } from "./harness.ts";
import { type Registry, startRegistry, whyNoRegistry } from "./registry-server.ts";

const USER = `tsrunc-${process.pid}`;
const needed = ["setpriv", "unshare", "useradd", "userdel", "newuidmap"].find((program) => !hasProgram(program));
const reason = cannotRun() ?? (needed === undefined ? null : `needs ${needed}`);

let scratch: string;
let uid: number;
/** A range of ids that the user may map in the second part. */
const RANGE = { first: 1_700_000_000, count: 65535 };
const at = (name: string) => join(scratch, name);

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a shell's commands as the user, in whose home they begin. `$T` is tsrunc. @param wrap what the shell is started by */
function asUser(script: string, wrap: readonly string[] = []): Outcome {
  const args = [`--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", ...wrap, "sh", "-c", script];
  const done = spawnSync("setpriv", args, {
    cwd: at("home"),
    encoding: "utf8",
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: at("home"),
      XDG_RUNTIME_DIR: at("run"),
      XDG_DATA_HOME: at("data"),
      T: at(`dist/${basename(runtime)}`),
    },
  });
  return { code: done.status, stdout: done.stdout, stderr: done.stderr };
}

/** Runs what has to succeed. @returns stdout */
function succeed(script: string, wrap?: readonly string[]): string {
  const { code, stdout, stderr } = asUser(script, wrap);
  expect(code, stderr).toBe(0);
  return stdout;
}

/** Runs what has to be refused, in one line. @returns the line */
function refused(script: string, wrap?: readonly string[]): string {
  const { code, stderr } = asUser(script, wrap);
  expect(code).not.toBe(0);
  expect(stderr.trim().split("\n")).toHaveLength(1);
  return stderr;
}

beforeAll(() => {
  if (reason !== null) return;
  scratch = mkdtempSync(join(tmpdir(), "tsrunc-rootless-"));
  chmodSync(scratch, 0o755);
  cpSync(dirname(runtime), at("dist"), { recursive: true });
  const made = spawnSync(
    "useradd",
    ["--no-create-home", "--home-dir", at("home"), "-K", "SUB_UID_COUNT=0", "-K", "SUB_GID_COUNT=0", USER],
    { encoding: "utf8" },
  );
  if (made.status !== 0) throw new Error(`useradd: ${made.stderr}`);
  uid = Number(spawnSync("id", ["-u", USER], { encoding: "utf8" }).stdout);
  const rootfs = at("rootfs");
  mkdirSync(rootfs);
  makeRootfs(rootfs);
  writeFileSync(join(rootfs, "etc/passwd"), "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/:/bin/sh\n");
  writeFileSync(join(rootfs, "etc/group"), "root:x:0:\napp:x:1001:\nmore:x:1002:app\n");
  for (const [name, mode] of [
    ["readonly", 0o555],
    ["outer/closed", 0],
  ] as const) {
    mkdirSync(join(rootfs, name, "below"), { recursive: true });
    writeFileSync(join(rootfs, name, "below/file"), `${name}\n`);
    writeFileSync(join(rootfs, name, "secret"), "x", { mode: 0 });
    chownSync(join(rootfs, name, "below/file"), 1000, 1001);
    for (const path of [join(name, "below"), name]) chmodSync(join(rootfs, path), mode);
  }
  const odd = tar(
    { name: "dev/null", type: "3", major: 1, minor: 3, mode: 0o666 },
    { name: "pipe", type: "6", mode: 0o640 },
    // Of a lower layer's directories that may not be written to, or entered.
    { name: "readonly/below/more", content: "more\n" },
    { name: "readonly/.wh.secret" },
    { name: "outer/closed/below/.wh.file" },
    { name: "outer/closed/below/more", content: "more\n" },
  );
  writeFileSync(at("upper.tar"), odd);
  makeImage(rootfs);
});

/** An image of two layers, as an archive. */
function makeImage(rootfs: string): void {
  const run = (command: string, ...args: string[]) => {
    const { status, stderr } = spawnSync(command, args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`${command}: ${stderr}`);
  };
  run("tar", "-C", rootfs, "--numeric-owner", "-cf", at("lower.tar"), ".");
  const layers = ["lower.tar", "upper.tar"].map((name) => ({ name, bytes: readFileSync(at(name)) }));
  const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
  const config = {
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config: { Cmd: ["sh", "-c", "id -u"], Env: ["PATH=/bin"], WorkingDir: "/made/below" },
    rootfs: { type: "layers", diff_ids: layers.map(({ bytes }) => `sha256:${digest(bytes)}`) },
  };
  const manifest = [{ Config: "config.json", RepoTags: ["app:1"], Layers: layers.map(({ name }) => name) }];
  writeFileSync(at("config.json"), JSON.stringify(config));
  writeFileSync(at("manifest.json"), JSON.stringify(manifest));
  run("tar", "-C", scratch, "-cf", at("app.tar"), "manifest.json", "config.json", "lower.tar", "upper.tar");
}

afterAll(() => {
  if (scratch === undefined) return;
  unmountBelow(scratch);
  spawnSync("userdel", [USER]);
  rmSync(scratch, { recursive: true, force: true });
});

beforeEach(() => {
  if (reason !== null) return;
  for (const name of ["home", "run", "data"]) {
    rmSync(at(name), { recursive: true, force: true });
    mkdirSync(at(name));
    chownSync(at(name), uid, uid);
  }
});

/** What is left of a store without images: nothing that takes room. */
function expectEmpty(store: string): void {
  const left = spawnSync("find", [store, "-type", "f", "!", "-empty", "-printf", "%P\n"], { encoding: "utf8" }).stdout;
  expect(left.split("\n").filter((name) => !["", "oci-layout", "index.json"].includes(name))).toEqual([]);
  for (const place of ["active", "bundles", "tmp", "layers", "user-layers"]) {
    const path = join(store, "snapshots", place);
    if (existsSync(path)) expect(spawnSync("ls", ["-A", path], { encoding: "utf8" }).stdout).toBe("");
  }
}

describe.skipIf(reason !== null)(`an ordinary user's image${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  test("is loaded, bundled as a tree of the user's own, run, and removed", () => {
    expect(succeed(`$T image load -q ${at("app.tar")}`)).toBe("Loaded: docker.io/library/app:1\n");
    const { code, stderr } = asUser("$T image bundle -q app:1 b");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const rootfs = at("home/b/rootfs");
    const look = (name: string) => {
      const { mode, uid: owner } = lstatSync(join(rootfs, name));
      return [mode.toString(8), owner === uid];
    };
    expect(look("readonly")).toEqual(["40555", true]);
    expect(look("readonly/below")).toEqual(["40555", true]);
    expect(look("readonly/below/more")).toEqual(["100644", true]);
    expect(look("outer/closed")).toEqual(["40000", true]);
    expect(look("outer/closed/below/more")).toEqual(["100644", true]);
    expect(look("outer/closed/secret")).toEqual(["100000", true]);
    expect(look("pipe")).toEqual(["10640", true]);
    for (const name of ["dev/null", "readonly/secret", "outer/closed/below/file"])
      expect(existsSync(join(rootfs, name))).toBe(false);
    expect(succeed("$T run -b b one-$$ && $T image unbundle b && ls")).toBe("0\n");
    expect(existsSync(at("home/b"))).toBe(false);
    expect(succeed("$T image rm app:1 && $T image prune")).toContain("Deleted: sha256:");
    expectEmpty(at("data/tsrunc"));
  });

  test("says once of each kind what it cannot have", () => {
    succeed(`$T image load -q ${at("app.tar")}`);
    const { stderr } = asUser("$T image bundle app:1 b");
    const warnings = stderr.split("\n").filter((line) => line.startsWith("warning: "));
    expect(warnings).toEqual([
      "warning: files of other owners than root belong to root: there is one id to map (and 1 more like it)",
      "warning: left out the device dev/null: this process may not make any",
    ]);
  });

  test("is run as whom one likes, whose the files are then", () => {
    succeed(`$T image load -q ${at("app.tar")}`);
    const run = (options: string, command: string) =>
      succeed(`$T image run -q --workdir / ${options} app:1 sh -c '${command}'`);
    expect(run("", "id -u; cat /readonly/below/file; echo new > /etc/new && cat /etc/new")).toBe("0\nreadonly\nnew\n");
    expect(run("--user 0", 'stat -c %u /etc; cat /proc/self/uid_map | tr -s " "')).toBe(`0\n 0 ${uid} 1\n`);
    expect(run("--user app", "id -u; id -g; stat -c %u:%g /etc")).toBe("1000\n1001\n1000:1001\n");
    expect(run("--user 77:88", "id -u; id -g")).toBe("77\n88\n");
    expect(refused("$T image run -q --user nobody-here app:1")).toContain("is not in the image's /etc/passwd");
    expect(refused("$T image run -q no/such:1")).toContain("no such image");
    succeed("$T image rm app:1 && $T image prune");
    expectEmpty(at("data/tsrunc"));
  });

  test("gives its volumes what directories without permissions have", () => {
    succeed(`$T image import -q --change 'VOLUME /outer' --change 'VOLUME /readonly' ${at("lower.tar")} vol:1`);
    expect(
      succeed(
        "$T image run -q --entrypoint /bin/sh vol:1 -c 'stat -c %a /outer/closed /readonly; stat -c %a /outer/closed/secret 2>/dev/null || echo hidden; cat /readonly/below/file'",
      ),
    ).toBe("0\n555\n0\nreadonly\n");
  });

  test("cannot be put where others are, nor be taken from their store", () => {
    succeed(`$T image load -q ${at("app.tar")}`);
    expect(refused("$T image bundle -q app:1 /usr/x")).toMatch(/\/usr\/x/);
    expect(refused("$T image list --store /root/x")).toMatch(/permission denied/i);
    mkdirSync(at("others"), { mode: 0o755 });
    expect(refused(`$T image load -q --store ${at("others/store")} ${at("app.tar")}`)).toMatch(/permission denied/i);
    expect(refused("$T image unbundle /usr")).toContain("is no bundle");
  });
});

const noRegistry = reason ?? whyNoRegistry();
describe.skipIf(noRegistry !== null)("an ordinary user", () => {
  let registry: Registry;
  beforeAll(async () => {
    registry = await startRegistry(at("registry"));
  });
  afterAll(() => registry?.stop());

  test("pushes, pulls and runs", () => {
    const name = `${registry.host}/team/app:1`;
    succeed(`$T image load -q --name ${name} ${at("app.tar")} && $T image push -q --plain-http ${name}`);
    succeed(`$T image rm ${name} && $T image prune`);
    expectEmpty(at("data/tsrunc"));
    expect(succeed(`$T image pull -q --plain-http ${name}`)).toBe(`${name}\n`);
    expect(succeed(`$T image run -q ${name}`)).toBe("0\n");
    expect(succeed("$T image verify")).toContain("all sound");
  });
});

/** Root there is the user, and the ids from 1 on are the user's range. */
function inNamespace(): string[] {
  const map = `${RANGE.first},1,${RANGE.count}`;
  return ["unshare", "--map-root-user", `--map-users=${map}`, `--map-groups=${map}`, "--mount"];
}

describe.skipIf(reason !== null)("an image in a user namespace with ranges of ids", () => {
  beforeAll(() => {
    const ids = `${RANGE.first}-${RANGE.first + RANGE.count - 1}`;
    const { status, stderr } = spawnSync("usermod", ["--add-subuids", ids, "--add-subgids", ids, USER]);
    expect(status, String(stderr)).toBe(0);
  });

  test.each(["", "--copy"])("is bundled with %s, each file its owner's, and run", (option) => {
    const script = `set -e
      $T image load -q --store st ${at("app.tar")}
      $T image bundle -q --store st ${option} app:1 b >&2
      stat -c '%n %a %u:%g' b/rootfs/readonly b/rootfs/readonly/below/file b/rootfs/outer/closed b/rootfs/pipe
      ls b/rootfs/outer/closed/below b/rootfs/readonly
      $T run -b b two-$$
      $T image run -q --store st --user app app:1 sh -c 'id -u; id -g; stat -c %u /readonly/below/file'
      $T image unbundle b; ls
      $T image rm --store st app:1; $T image prune --store st
      find st -type f ! -empty ! -name index.json ! -name oci-layout`;
    const { code, stdout, stderr } = asUser(
      script.replace("/tmp/x", "/proc/self/oom_score_adj || true"),
      inNamespace(),
    );
    expect(code, stderr).toBe(0);
    const lines = stdout.split("\n").filter((line) => !/^(Loaded|Untagged|Deleted|Freed)/.test(line));
    expect(lines).toEqual([
      "b/rootfs/readonly 555 0:0",
      "b/rootfs/readonly/below/file 644 1000:1001",
      "b/rootfs/outer/closed 0 0:0",
      "b/rootfs/pipe 640 0:0",
      "b/rootfs/outer/closed/below:",
      "more",
      "",
      "b/rootfs/readonly:",
      "below",
      "0",
      "1000",
      "1001",
      "1000",
      "st",
      "",
    ]);
    const warnings = stderr.split("\n").filter((line) => /error|denied/.test(line));
    expect(warnings).toEqual([]);
  });

  test("is refused where an owner is not mapped, naming the file", () => {
    const one = ["unshare", "--map-root-user", "--mount"];
    const script = `$T image load -q --store st ${at("app.tar")} >/dev/null && $T image bundle -q --store st app:1 b`;
    expect(refused(script, one)).toMatch(/entry .*below\/file.*: the owner 1000:1001 is not mapped/);
    expect(existsSync(at("home/b"))).toBe(false);
  });
});
