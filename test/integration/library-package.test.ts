/**
 * The library as a user has it: both packages installed by npm into an empty directory, the examples of its page compiled strictly, and run under
 * Node and under Bun. They use the default directories, of a mount namespace of their own.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { npmPackages } from "../../package/npm.ts";
import { put } from "../../package/tree.ts";
import {
  DEBIAN_TIMEOUT,
  debianArchive,
  NoDebianError,
  POSTGRES,
  POSTGRES_DOCKERFILE,
  whyNoDebian,
} from "../support/debian.ts";
import { programExamples } from "../support/examples.ts";
import { makeRootfs } from "../support/rootfs.ts";
import { cannotRun, hasProgram, runtime } from "./harness.ts";

const PAGE = "docs/library.md";
const examples = programExamples(PAGE);
const ENGINES = { node: "node", bun: process.execPath };
const cpu = process.arch === "arm64" ? "arm64" : "x64";

const reason =
  cannotRun() ??
  ["node", "npm", "unshare"].filter((name) => !hasProgram(name)).map((name) => `needs ${name}`)[0] ??
  null;

describe.skipIf(reason !== null)(`the library's package (${reason ?? ""})`, () => {
  let work: string;
  let project: string;

  beforeAll(() => {
    work = mkdtempSync(join(tmpdir(), "tsrunc-npm-"));
    const stage = join(work, "stage");
    // In the place of the executable and all that belongs beside it, to which it leads.
    put(join(stage, "lib/tsrunc/tsrunc"), `#!/bin/sh\nexec '${runtime}' "$@"\n`, 0o755);
    const version = "1.2.3";
    const release = { project: resolve("."), stage, output: work, work, version, cpu, time: 0, licenses: "" } as const;
    const files = npmPackages({ ...release, bom: { components: [] } as never });
    project = join(work, "project");
    writeJson("package.json", { name: "caller", version: "1.0.0", type: "module" });
    const install = ["install", "--offline", "--no-audit", "--no-fund", "--cache", join(work, "cache")];
    execFileSync("npm", [...install, ...files.map((file) => join(work, file))], { cwd: project, stdio: "pipe" });
    const command = join(project, "node_modules/.bin/tsrunc");
    expect(execFileSync(command, ["--version"], { encoding: "utf8" })).toMatch(/^tsrunc version \d/);
    writeJson("tsconfig.json", {
      compilerOptions: {
        ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
        ...{ module: "NodeNext", target: "ES2022", lib: ["ES2023", "ESNext.Disposable"], resolveJsonModule: true },
        ...{ typeRoots: [resolve("node_modules/@types")], types: ["node"] },
      },
    });
    for (const { line, text } of examples) put(join(project, `line-${line}.ts`), text);
  }, 120_000);
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  function writeJson(name: string, value: object): void {
    put(join(project, name), JSON.stringify(value));
  }

  function compile(...options: string[]): string {
    const args = ["-p", project, ...options];
    return spawnSync(resolve("node_modules/.bin/tsc"), args, { encoding: "utf8", cwd: project }).stdout;
  }

  /** Runs a program where `/var/lib` and `/run` are directories of the test's. */
  function runProgram(command: readonly string[], place: string, directory: string) {
    for (const name of ["lib", "run"]) mkdirSync(join(place, name), { recursive: true });
    mkdirSync(directory, { recursive: true });
    const script = 'mount --bind "$1/lib" /var/lib && mount --bind "$1/run" /run && shift && exec "$@"';
    const args = ["--mount", "sh", "-c", script, "sh", place, ...command];
    const { TSRUNC: _, ...env } = process.env;
    return spawnSync("unshare", args, { cwd: directory, encoding: "utf8", env, timeout: 240_000 });
  }

  function leftBehind(place: string): string[] {
    const list = (path: string) => (existsSync(path) ? readdirSync(path) : []);
    return [
      ...list(join(place, "lib/tsrunc/containers")).filter((name) => name !== "lock"),
      ...list(join(place, "lib/tsrunc/volumes")).filter((name) => name !== "lock"),
      ...list(join(place, "run/tsrunc")).filter((name) => name !== "seccomp:filters"),
    ];
  }

  test("compiles strictly, in all examples", () => {
    expect(examples.length).toBeGreaterThanOrEqual(5);
    expect(compile()).toBe("");
  }, 120_000);

  // As projects are set up for Node, and for what bundles them.
  test.each([
    ["Node20", "Node16"],
    ["Preserve", "Bundler"],
    ["ESNext", "Bundler"],
  ])(
    "compiles with the modules of %s, found by %s",
    (module, resolution) => {
      expect(compile("--noEmit", "--module", module, "--moduleResolution", resolution)).toBe("");
    },
    120_000,
  );

  test("refuses what is of another type", () => {
    const wrong = [
      'run({ image: "a", bundle: "b" })',
      'run({ bundle: "b", volumes: [] })',
      'run({ image: "a", network: "bridge" })',
      'run({ bundle: "b" }).then((container) => container.logs())',
      "validate({}).spec",
      "const spec: Spec = { ociVersion: 1 }",
    ];
    const source = `import { run, validate, type Spec } from "tsrunc";\n${wrong.map((line) => `${line};\n`).join("")}`;
    put(join(project, "wrong.ts"), source);
    const lines = [...compile().matchAll(/^wrong\.ts\((\d+),/gm)].map(([, line]) => Number(line) - 1);
    rmSync(join(project, "wrong.ts"));
    expect([...new Set(lines)]).toEqual(wrong.map((_, index) => index + 1));
  }, 120_000);

  test("is had by require, too, where Node takes modules by it", () => {
    put(join(project, "required.cjs"), 'console.log(typeof require("tsrunc").run);\n');
    const [major = 0, minor = 0] = execFileSync("node", ["--version"], { encoding: "utf8" })
      .slice(1)
      .split(".")
      .map(Number);
    const takes = major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19);
    const { stdout } = spawnSync("node", ["--no-warnings", "required.cjs"], { cwd: project, encoding: "utf8" });
    expect(stdout).toBe(takes ? "function\n" : "");
  });

  test("brings the executable: npx finds it", () => {
    const version = spawnSync("npx", ["--offline", "tsrunc", "--version"], { cwd: project, encoding: "utf8" });
    expect(version).toMatchObject({ status: 0, stdout: expect.stringMatching(/^tsrunc version \d/) });
  }, 60_000);

  describe.each(Object.entries(ENGINES))("under %s", (name, engine) => {
    test.each(examples.filter(({ needs }) => needs === null))(
      "the example of line $line prints what the page says",
      ({ line, output }) => {
        const place = join(work, `${name}-${line}`);
        const rootfs = join(place, "rootfs");
        mkdirSync(rootfs, { recursive: true });
        makeRootfs(rootfs);
        const program = join(project, `line-${line}.js`);
        expect(existsSync(program), "compiled").toBe(true);
        const import_ = [runtime, "image", "import", "--quiet", "--change", "ENV PATH=/bin", rootfs, "busybox"];
        expect(runProgram(import_, place, place).stderr).toBe("");
        // A package is looked for from where the program lies.
        const { stdout, stderr, status } = runProgram([engine, program], place, join(place, "cwd"));
        expect({ stdout, stderr, status }).toEqual({
          stdout: output,
          stderr: expect.not.stringContaining("Error"),
          status: 0,
        });
        expect(leftBehind(place)).toEqual([]);
      },
      120_000,
    );
  });

  const whyNoDatabase = whyNoDebian(POSTGRES);
  describe.skipIf(whyNoDatabase !== null)(`a database (${whyNoDatabase ?? ""})`, () => {
    const place = () => join(work, "database");
    let noDebian: string | null = null;
    beforeAll(async () => {
      const archive = await debianArchive(POSTGRES).catch((error: unknown) => {
        if (!(error instanceof NoDebianError)) throw error;
        noDebian = error.message;
        return null;
      });
      if (archive === null) return;
      const command = [runtime, "image", "import", "--quiet", archive, "debian-postgres"];
      expect(runProgram(command, place(), place()).stderr).toBe("");
    }, DEBIAN_TIMEOUT);

    test("has the Dockerfile that other tests have", () => {
      expect(readFileSync(PAGE, "utf8")).toContain(`\`\`\`dockerfile\n${POSTGRES_DOCKERFILE}\`\`\``);
    });

    test.each(Object.entries(ENGINES))(
      "lives as long as a block, and leaves nothing, under %s",
      (name, engine) => {
        const [example] = examples.filter(({ needs }) => needs === "postgres");
        const directory = join(place(), name);
        put(join(directory, "postgres/Dockerfile"), POSTGRES_DOCKERFILE);
        const { stdout, stderr, status } = runProgram(
          [engine, join(project, `line-${example?.line}.js`)],
          place(),
          directory,
        );
        expect(status, stderr).toBe(0);
        expect(stdout).toBe(example?.output);
        expect(stderr).toMatch(/database system is ready to accept connections/);
        expect(leftBehind(place())).toEqual([]);
      },
      240_000,
    );
    beforeEach((context) => {
      if (noDebian !== null) context.skip(noDebian);
    });
  });
});
