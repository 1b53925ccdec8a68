/** `make build SNAPSHOT=…` makes the other kind of engine where one has been made; without it, what is there is taken. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const ENGINE = "dist/tsrunc-engine";
/** What the engine is made of, and itself, in the order in which they are made. */
const MADE = [
  "package.json",
  "package-lock.json",
  "node_modules/.package-lock.json",
  "src/config/generated/config.js",
  "build/commander/tsconfig.json",
  ENGINE,
] as const;

let tree: string;

beforeEach(() => {
  tree = mkdtempSync(join(tmpdir(), "tsrunc-snapshot-"));
  for (const name of ["Makefile", "make"]) cpSync(name, join(tree, name), { recursive: true });
  mkdirSync(join(tree, "schema"));
  for (const [index, name] of MADE.entries()) {
    const path = join(tree, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "");
    utimesSync(path, index, index);
  }
});

afterEach(() => rmSync(tree, { recursive: true, force: true }));

/** Whether make would make the engine anew. */
function makes(...args: string[]): boolean {
  const { MAKEFLAGS: _, MAKELEVEL: __, SNAPSHOT: ___, ...env } = process.env;
  const { status, stderr } = spawnSync("make", ["--question", ENGINE, ...args], { cwd: tree, env, encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: expect.toBeOneOf([0, 1]), stderr: "" });
  return status === 1;
}

describe.each(["yes", "no"])("after SNAPSHOT=%s", (last) => {
  beforeEach(() => writeFileSync(join(tree, "build/snapshot"), `${last}\n`));

  test("the other is made when it is asked for, and only then", () => {
    const other = last === "yes" ? "no" : "yes";
    expect([makes(), makes(`SNAPSHOT=${last}`), makes(`SNAPSHOT=${other}`)]).toEqual([false, false, true]);
  });
});
