/**
 * Proves the checks: runs each mutant of a good runtime, and says which check caught it; then a runtime that does nothing and says that all
 * went well, under which no check may pass. Ends with 1 when a mutant was not caught, or a check passed.
 *
 * `run.ts [--runtime PATH] [NAME…]`
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { mutants } from "./mutants.ts";

const here = dirname(fileURLToPath(import.meta.url));

interface Report {
  testResults: { assertionResults: { status: string; fullName: string }[] }[];
}

/** The name of what is no mutant of anything. */
const NOTHING = "nothing";

const program = new Command("mutants")
  .option("--runtime <path>", "the good runtime", join(here, "../../dist/tsrunc"))
  .argument("[names...]", `only these mutants; ${NOTHING} is the runtime that does nothing`)
  .action(prove);

function prove(names: string[], { runtime }: { runtime: string }): void {
  const directory = mkdtempSync(join(tmpdir(), "mutants-"));
  const good = resolve(runtime);
  const healthy = new Map<string, Set<string>>();
  const missed: string[] = [];
  try {
    for (const [name, { fault, where }] of Object.entries(mutants)) {
      if (names.length > 0 && !names.includes(name)) continue;
      const key = where.join(" ");
      // What fails without any mutation proves nothing.
      if (!healthy.has(key)) healthy.set(key, failuresOf(good, where, directory, false));
      const script = join(directory, name);
      const command = [process.execPath, join(here, "mutant.ts"), name, good].map(quote).join(" ");
      writeFileSync(script, `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
      const caught = [...failuresOf(script, where, directory, true)].filter((title) => !healthy.get(key)?.has(title));
      if (caught.length === 0) missed.push(name);
      console.log(
        `${caught.length === 0 ? "MISSED" : "caught"} ${name} (${fault})${caught[0] ? `: ${caught[0]}` : ""}`,
      );
    }
    if (names.length === 0 || names.includes(NOTHING)) {
      for (const title of titlesOf("passed", run("/bin/true", [], directory))) {
        console.log(`PASSED under a runtime that does nothing: ${title}`);
        missed.push(title);
      }
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  console.log(missed.length === 0 ? "all mutants were caught" : `${missed.length} faults of the checks`);
  process.exitCode = missed.length > 0 ? 1 : 0;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Titles of the checks that fail. */
function failuresOf(runtime: string, where: readonly string[], directory: string, bail: boolean): Set<string> {
  return titlesOf("failed", run(runtime, [...(bail ? ["--bail"] : []), ...where], directory));
}

function titlesOf(verdict: "passed" | "failed", { testResults }: Report): Set<string> {
  const results = testResults.flatMap(({ assertionResults }) => assertionResults);
  return new Set(results.filter(({ status }) => status === verdict).map(({ fullName }) => fullName));
}

/** Runs the suite. @throws {Error} when no report comes of it */
function run(runtime: string, args: readonly string[], directory: string): Report {
  const output = join(directory, "report.json");
  rmSync(output, { force: true });
  spawnSync(
    process.execPath,
    ["--bun", join(here, "../run.ts"), "--runtime", runtime, "--reporter", "json", "--output", output, ...args],
    { stdio: ["ignore", "ignore", "ignore"], timeout: 1_200_000 },
  );
  try {
    return JSON.parse(readFileSync(output, "utf8"));
  } catch {
    throw new Error(`the suite left no report for ${runtime}`);
  }
}

await program.parseAsync();
