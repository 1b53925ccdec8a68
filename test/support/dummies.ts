/**
 * Runs the integration tests against runtimes that do nothing: one that says that all is well, and one that fails without a word.
 * A test that passes on either proves nothing. Prints those, and ends with 1 when there are any.
 *
 * Tests that wait give up at once, since nothing will happen; so some tests need not be a second long, and all take a minute.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Scripts, by what they do. */
const DUMMIES = { "exit 0": "exit 0", "exit 1, without a word": "exit 1" };

/** Tests of engines take an engine's own time to fail: they are tried where `DUMMIES=all` says so. */
const ENGINES = ["podman", "docker", "containerd"];
/** Its tests run what is in the packages, where they were made, and not the executable that is given. */
const PACKAGES = "packages";

interface Report {
  testResults: {
    name: string;
    assertionResults: { ancestorTitles: string[]; title: string; status: string }[];
  }[];
}

/** The files that run the executable; others try a part of the source by itself. */
function testFiles(): string[] {
  const left = process.env["DUMMIES"] === "all" ? [PACKAGES] : [PACKAGES, ...ENGINES];
  return globSync("test/integration/**/*.test.ts")
    .filter((file) => readFileSync(file, "utf8").includes('harness.ts"'))
    .filter((file) => !left.some((name) => file.endsWith(`/${name}.test.ts`)));
}

/** @returns the tests that pass, and how many were run */
async function tryOn(script: string): Promise<{ passed: string[]; count: number }> {
  const directory = mkdtempSync(join(tmpdir(), "tsrunc-dummy-"));
  try {
    // By the name of the runtime, so that no test is skipped as one that a peer need not pass.
    const dummy = join(directory, "tsrunc");
    writeFileSync(dummy, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const report = join(directory, "report.json");
    const vitest = ["--bun", "node_modules/vitest/vitest.mjs", "run", "--project", "integration"];
    const limits = ["--testTimeout=2000", "--reporter=json", `--outputFile=${report}`];
    const run = spawn(process.execPath, [...vitest, ...limits, "--maxWorkers=3", ...testFiles()], {
      env: { ...process.env, TSRUNC: dummy, TSRUNC_TEST_PATIENCE: "0.1" },
      stdio: "ignore",
    });
    await once(run, "exit");
    killHelpersOf(dummy);
    const { testResults } = JSON.parse(readFileSync(report, "utf8")) as Report;
    const tests = testResults.flatMap(({ name, assertionResults }) =>
      assertionResults.map(({ ancestorTitles, title, status }) => ({
        status,
        title: [name.replace(/.*\/test\//, "test/"), ...ancestorTitles, title].join(" > "),
      })),
    );
    const done = tests.filter(({ status }) => status === "passed" || status === "failed");
    return { passed: done.filter(({ status }) => status === "passed").map(({ title }) => title), count: done.length };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Ends what the tests have left: one that is given up for its time goes on, and starts helpers after all has been cleared. */
function killHelpersOf(dummy: string): void {
  for (const path of globSync("/proc/[0-9]*/environ")) {
    try {
      if (readFileSync(path, "latin1").split("\0").includes(`TSRUNC=${dummy}`))
        process.kill(Number(path.split("/")[2]), "SIGKILL");
    } catch {
      // It has ended by itself, or is somebody else's.
    }
  }
}

let failed = false;
// Both at once: most of the time they wait.
const tried = Object.entries(DUMMIES).map(([name, script]) => ({ name, outcome: tryOn(script) }));
for (const { name, outcome } of tried) {
  const { passed, count } = await outcome;
  console.log(`dummies: ${passed.length} of ${count} integration tests pass on a runtime that is \`${name}\``);
  for (const title of passed) console.log(`  ${title}`);
  failed ||= passed.length > 0 || count === 0;
}
process.exitCode = failed ? 1 : 0;
