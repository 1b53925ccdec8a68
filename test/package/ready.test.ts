/** What `make` says where something is in the way: one line of its own, before a tool's many. */
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const isRoot = process.geteuid?.() === 0;
/** Somebody who owns nothing here; an ordinary user tries directories that are read-only instead. */
const NOBODY = 65_534;

let tree: string;

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), "tsrunc-ready-"));
  for (const name of ["Makefile", "make", "package.json", "package-lock.json"])
    cpSync(name, join(tree, name), { recursive: true });
  for (const name of ["src", "schema"]) mkdirSync(join(tree, name));
  writeFileSync(join(tree, "engine"), "#!/bin/sh\necho no such loader >&2\nexit 127\n", { mode: 0o755 });
  chmodSync(tree, isRoot ? 0o755 : 0o555);
});

afterAll(() => {
  chmodSync(tree, 0o755);
  rmSync(tree, { recursive: true, force: true });
});

function run(program: string, args: string[], options: { PATH?: string; uid?: number } = {}) {
  const { MAKEFLAGS: _, MAKELEVEL: __, GOAL: ___, ...rest } = process.env;
  const env = { ...rest, ...(options.PATH !== undefined && { PATH: options.PATH }) };
  const uid = isRoot && options.uid !== undefined ? { uid: options.uid, gid: options.uid } : {};
  return spawnSync(program, args, { cwd: tree, env, encoding: "utf8", ...uid });
}

/** What it says, besides make's own report that it has failed. */
function lines({ stdout, stderr }: { stdout: string; stderr: string }): string[] {
  return `${stdout}${stderr}`.split("\n").filter((line) => line !== "" && !/^make(\[\d+\])?: /.test(line));
}

describe("in a tree that the caller cannot write to", () => {
  test.each(["build", "install", "demo", "unit", "package", "clean"])("make %s", (goal) => {
    const done = run("make", [goal], { uid: NOBODY });
    expect(done.status).toBe(2);
    expect(lines(done)).toEqual([
      expect.stringMatching(
        `^${goal}: cannot write to ${tree}: it .*: Call make as its owner|^${goal}: cannot write to ${tree}: it .*clone of your own$`,
      ),
    ]);
  });
});

describe.skipIf(!isRoot)("what is missing is named", () => {
  /** A PATH with little in it. */
  function path(programs: Record<string, string>): string {
    const bin = mkdtempSync(join(tree, "bin-"));
    for (const name of ["bash", "stat", "dirname", "realpath", "uname", "id", "df", "tail", "tr", "head"])
      symlinkSync(spawnSync("bash", ["-c", `type -P ${name}`], { encoding: "utf8" }).stdout.trim(), join(bin, name));
    for (const [name, text] of Object.entries(programs)) writeFileSync(join(bin, name), text, { mode: 0o755 });
    return bin;
  }
  const said = (args: string[], programs: Record<string, string> = {}) => {
    const done = run("make/ready.sh", args, { PATH: path(programs) });
    expect({ args, status: done.status, stdout: done.stdout }).toEqual({ args, status: 1, stdout: "" });
    expect(lines(done)).toHaveLength(1);
    return done.stderr;
  };
  const npm = "#!/bin/sh\n";

  test("npm, node, and a version that is too old", () => {
    expect(said(["npm"])).toContain("needs npm");
    expect(said(["npm"], { npm })).toContain("needs node");
    expect(said(["npm"], { npm, node: "#!/bin/sh\necho v18.19.0\n" })).toMatch(/needs Node.js 20 .*\/node is v18.19.0/);
    const found = run("make/ready.sh", ["npm"], { PATH: path({ npm, node: "#!/bin/sh\necho v20.0.0\n" }) });
    expect(found).toMatchObject({ status: 0, stderr: "", stdout: "" });
  });

  test("the engine, and a machine on which it does not run", () => {
    expect(said(["engine", "node_modules/bun"])).toContain("npm has not installed node_modules/bun");
    expect(said(["engine", "./engine"])).toMatch(/does not run on this machine.*no such loader/);
  });

  test("room", () => {
    expect(said(["room", "999999999"])).toMatch(/needs 999999999 MB of room in .*, where \d+ MB are free/);
    expect(run("make/ready.sh", ["room", "1"])).toMatchObject({ status: 0, stderr: "" });
  });

  test("another processor", () => {
    const uname = '#!/bin/sh\n[ "$1" = -m ] && echo riscv64 || echo Linux\n';
    const bin = path({});
    rmSync(join(bin, "uname"));
    writeFileSync(join(bin, "uname"), uname, { mode: 0o755 });
    const done = run("make/ready.sh", [], { PATH: bin });
    expect(done).toMatchObject({ status: 1, stderr: expect.stringContaining("this is Linux on riscv64") });
  });

  test("root", () => {
    mkdirSync(join(tree, "mine"));
    spawnSync("chown", [`${NOBODY}:${NOBODY}`, join(tree, "mine")]);
    cpSync("make", join(tree, "mine/make"), { recursive: true });
    const { MAKEFLAGS: _, GOAL: __, ...rest } = process.env;
    const done = spawnSync("make/ready.sh", ["root"], {
      ...{ cwd: join(tree, "mine"), uid: NOBODY, gid: NOBODY, encoding: "utf8", env: { ...rest, GOAL: "fuzz" } },
    });
    expect(done).toMatchObject({ status: 1, stderr: "fuzz: containers with cgroups need root: sudo make fuzz\n" });
  });

  test("where to install", () => {
    const place = join(tree, "prefix");
    mkdirSync(place);
    const done = run("make/ready.sh", ["directories", join(place, "lib/tsrunc"), join(place, "bin")], { uid: NOBODY });
    expect(done.status).toBe(1);
    expect(lines(done)).toEqual([
      expect.stringMatching(/cannot write to .*\/prefix: it belongs to root, and you are .*PREFIX/),
    ]);
    writeFileSync(join(place, "file"), "");
    expect(said(["directories", join(place, "file/lib")])).toContain("/prefix/file: it is no directory");
  });
});
