/** The rules that are made of `lint/layers.ts`, each proved on a file that breaks it. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, test as anyTest, beforeAll, expect } from "vitest";
import { configuration, LAYERS } from "../../lint/layers.ts";

/** Not in an emulated machine: what it says of the sources is the same on any. */
const biome = resolve("node_modules/.bin/biome");
const isThere = existsSync(biome);
const test = anyTest.skipIf(!isThere);

const folders = Object.keys(LAYERS);
const pairs = folders.flatMap((from) =>
  folders.filter((to) => to !== from).map((to) => ({ from, to, may: LAYERS[from]?.imports.includes(to) ?? false })),
);
const imported = (may: boolean) =>
  pairs
    .filter((pair) => pair.may === may)
    .map(({ from, to }): [string, string] => [`src/${from}/to-${to}.ts`, `../${to}/a.ts`]);

const forbidden: [file: string, imported: string][] = [
  ...imported(false),
  ["src/cgroup/main.ts", "../main.ts"],
  ["src/init/a.ts", "node:fs/promises"],
  ["src/runtime/a.ts", "node:net"],
  ["src/sys/a.ts", "node:worker_threads"],
  ["src/plan/a.ts", "node:fs"],
  ["src/plan/b.ts", "node:child_process"],
  ["src/plan/c.ts", "koffi"],
  ["src/plan/d.ts", "node:path"],
  ["src/sys/c.ts", "node:path"],
  ["src/image/b.ts", "node:path"],
  ["src/image/a.ts", "koffi"],
  ["src/runtime/b.ts", "commander"],
  ["src/sys/b.ts", "pino"],
];

const allowed: [file: string, imported: string][] = [
  ...imported(true),
  ["src/program.ts", "./cli/cli.ts"],
  ["src/image/z.ts", "node:worker_threads"],
  ["src/image/y.ts", "node:fs/promises"],
  ["src/sys/z.ts", "koffi"],
  ["src/cli/z.ts", "commander"],
  ["src/runtime/z.ts", "node:fs"],
  ["src/engine/z.ts", "node:child_process"],
];

let tree: string;
let offenders: Map<string, Set<string>>;

beforeAll(() => {
  if (!isThere) return;
  tree = mkdtempSync(join(tmpdir(), "tsrunc-lint-"));
  execFileSync("git", ["init", "--quiet", tree]);
  const config = JSON.parse(readFileSync("biome.json", "utf8")) as Record<string, unknown>;
  writeFileSync(join(tree, "biome.json"), JSON.stringify({ ...config, $schema: undefined, vcs: undefined }));
  mkdirSync(join(tree, "lint"));
  writeFileSync(join(tree, "lint/layers.json"), JSON.stringify(configuration()));
  const imports = new Map<string, string[]>();
  for (const [file, imported] of [...forbidden, ...allowed]) {
    imports.set(file, [...(imports.get(file) ?? []), imported]);
  }
  imports.set("src/cli/lazy.ts", []);
  for (const [file, names] of imports) {
    mkdirSync(join(tree, dirname(file)), { recursive: true });
    const lines = names.map((name, index) => `import { x as x${index} } from "${name}";\nx${index}();\n`);
    writeFileSync(join(tree, file), lines.join(""));
  }
  writeFileSync(join(tree, "src/cli/lazy.ts"), 'export const load = () => import("node:fs/promises");\n');
  writeFileSync(join(tree, "src/sys/round.ts"), 'import { x } from "./about.ts";\nexport const y = () => x();\n');
  writeFileSync(join(tree, "src/sys/about.ts"), 'import { y } from "./round.ts";\nexport const x = () => y();\n');
  writeFileSync(join(tree, "src/cli/bun.ts"), 'export const text = Bun.file("x");\n');
  writeFileSync(join(tree, "src/runtime/timer.ts"), "setTimeout(() => {}, 1);\n");
  writeFileSync(join(tree, "src/image/timer.ts"), "setTimeout(() => {}, 1);\n");
  writeFileSync(join(tree, "src/cli/spawn.ts"), 'import { spawn } from "node:child_process";\nspawn("ps");\n');
  writeFileSync(join(tree, "src/cli/sync.ts"), 'import { spawnSync } from "node:child_process";\nspawnSync("ps");\n');
  offenders = lint();
});

afterAll(() => {
  if (isThere) rmSync(tree, { recursive: true, force: true });
});

/** Lints the tree. @returns for each file, the text of what the rules on imports and globals found in it */
function lint(): Map<string, Set<string>> {
  const { stdout } = spawnSync(biome, ["lint", "--reporter=github", "--max-diagnostics=none", "."], {
    cwd: tree,
    encoding: "utf8",
  });
  const found = new Map<string, Set<string>>();
  for (const line of stdout.split("\n")) {
    const match =
      /title=lint\/(?:style\/noRestricted(?:Imports|Globals)|suspicious\/noImportCycles),file=([^,]+),line=(\d+)/.exec(
        line,
      );
    if (match === null) continue;
    const [, path = "", lineNumber = "0"] = match;
    const file = path.slice(path.lastIndexOf("src/"));
    const source = readFileSync(join(tree, file), "utf8").split("\n")[Number(lineNumber) - 1] ?? "";
    found.set(file, (found.get(file) ?? new Set()).add(source));
  }
  return found;
}

function isRefused(file: string, imported: string): boolean {
  return [...(offenders.get(file) ?? [])].some((line) => line.includes(`"${imported}"`));
}

test.each(forbidden)("%s may not import %s", (file, imported) => {
  expect(isRefused(file, imported)).toBe(true);
});

test.each(allowed)("%s may import %s", (file, imported) => {
  expect(isRefused(file, imported)).toBe(false);
});

test("every folder of src/ has its layer", () => {
  const found = readdirSync("src", { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders).toEqual(expect.arrayContaining(found.map(({ name }) => name)));
});

test("layers.json, which editors read, is of today", () => {
  expect(JSON.parse(readFileSync("lint/layers.json", "utf8"))).toEqual(configuration());
});

test("a lazy import is held to the same rules", () => {
  expect(isRefused("src/cli/lazy.ts", "node:fs/promises")).toBe(true);
});

test("files may not import each other", () => {
  expect(isRefused("src/sys/round.ts", "./about.ts")).toBe(true);
});

test("Bun's own API is refused", () => {
  expect(offenders.has("src/cli/bun.ts")).toBe(true);
});

test("an event loop is the image program's alone", () => {
  expect(offenders.has("src/runtime/timer.ts")).toBe(true);
  expect(offenders.has("src/image/timer.ts")).toBe(false);
});

test("of child_process the synchronous functions are for all", () => {
  expect(offenders.has("src/cli/spawn.ts")).toBe(true);
  expect(offenders.has("src/cli/sync.ts")).toBe(false);
});
