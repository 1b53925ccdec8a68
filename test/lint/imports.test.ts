/** The import rules of `biome.json`, each proved on a file that breaks it. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const forbidden: [file: string, imported: string][] = [
  ["src/sys/a.ts", "../config/types.ts"],
  ["src/sys/b.ts", "../plan/step.ts"],
  ["src/sys/c.ts", "../runtime/store.ts"],
  ["src/sys/d.ts", "../cli/run.ts"],
  ["src/sys/e.ts", "node:child_process"],
  ["src/config/a.ts", "../runtime/store.ts"],
  ["src/config/b.ts", "node:fs"],
  ["src/plan/a.ts", "../runtime/host.ts"],
  ["src/plan/b.ts", "../cli/run.ts"],
  ["src/plan/c.ts", "node:os"],
  ["src/plan/d.ts", "node:child_process"],
  ["src/plan/e.ts", "node:fs"],
  ["src/init/a.ts", "../runtime/store.ts"],
  ["src/init/b.ts", "node:child_process"],
  ["src/init/c.ts", "node:fs/promises"],
  ["src/init/d.ts", "node:fs"],
  ["src/cgroup/a.ts", "../runtime/store.ts"],
  ["src/cgroup/b.ts", "../main.ts"],
  ["src/seccomp/a.ts", "../image/store.ts"],
  ["src/seccomp/b.ts", "node:fs"],
  ["src/runtime/a.ts", "../cli/run.ts"],
  ["src/runtime/b.ts", "node:fs"],
  ["src/image/a.ts", "../cli/run.ts"],

  ["src/engine/a.ts", "../plan/plan.ts"],
  ["src/cli/a.ts", "node:fs"],
  ["src/main.ts", "node:fs"],
];

const allowed: [file: string, imported: string][] = [
  ["src/main.ts", "./cli/cli.ts"],
  ["src/cli/z.ts", "../runtime/store.ts"],
  ["src/runtime/z.ts", "../plan/plan.ts"],
  ["src/image/z.ts", "../config/types.ts"],
  ["src/image/y.ts", "node:fs"],
  ["src/plan/z.ts", "../config/types.ts"],
  ["src/init/z.ts", "../sys/mount.ts"],
  ["src/engine/x.ts", "node:fs"],
  ["src/cgroup/z.ts", "../sys/fd.ts"],
  ["src/engine/z.ts", "../sys/syscall-numbers.ts"],
  ["src/engine/y.ts", "./elf.ts"],
  ["src/sys/z.ts", "node:tty"],
];

let tree: string;
let offenders: Map<string, Set<string>>;

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), "tsrunc-lint-"));
  execFileSync("git", ["init", "--quiet", tree]);
  const config = JSON.parse(readFileSync("biome.json", "utf8")) as Record<string, unknown>;
  writeFileSync(join(tree, "biome.json"), JSON.stringify({ ...config, $schema: undefined, vcs: undefined }));
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
  writeFileSync(join(tree, "src/cli/lazy.ts"), 'export const load = () => import("node:fs");\n');
  writeFileSync(join(tree, "src/cli/engine.ts"), 'export const text = Bun.file("x");\n');
  offenders = lint();
});

afterAll(() => rmSync(tree, { recursive: true, force: true }));

/** Lints the tree. @returns for each file, the text of what the rules on imports and globals found in it */
function lint(): Map<string, Set<string>> {
  const biome = resolve("node_modules/.bin/biome");
  const { stdout } = spawnSync(biome, ["lint", "--reporter=github", "--max-diagnostics=none", "."], {
    cwd: tree,
    encoding: "utf8",
  });
  const found = new Map<string, Set<string>>();
  for (const line of stdout.split("\n")) {
    const match = /title=lint\/style\/noRestricted(?:Imports|Globals),file=([^,]+),line=(\d+)/.exec(line);
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

test("a lazy import is held to the same rules", () => {
  expect(isRefused("src/cli/lazy.ts", "node:fs")).toBe(true);
});

test("Bun's own API is refused", () => {
  expect(offenders.has("src/cli/engine.ts")).toBe(true);
});
