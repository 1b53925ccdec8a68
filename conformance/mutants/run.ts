/**
 * Proves the checks: runs each mutant of a good runtime, and says which check caught it. Ends with 1 when one was not caught.
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

const program = new Command("mutants")
  .option("--runtime <path>", "the good runtime", join(here, "../../dist/tsrunc"))
  .argument("[names...]", "only these mutants")
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
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  const count = names.length || Object.keys(mutants).length;
  console.log(`${count - missed.length} of ${count} mutants caught`);
  process.exitCode = missed.length > 0 ? 1 : 0;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Titles of the checks that fail. */
function failuresOf(runtime: string, where: readonly string[], directory: string, bail: boolean): Set<string> {
  const output = join(directory, "report.json");
  rmSync(output, { force: true });
  spawnSync(
    process.execPath,
    [
      "--bun",
      join(here, "../run.ts"),
      "--runtime",
      runtime,
      "--reporter",
      "json",
      "--output",
      output,
      ...(bail ? ["--bail"] : []),
      ...where,
    ],
    { stdio: ["ignore", "ignore", "ignore"], timeout: 300_000 },
  );
  let report: Report;
  try {
    report = JSON.parse(readFileSync(output, "utf8"));
  } catch {
    throw new Error(`the suite left no report for ${runtime}`);
  }
  const results = report.testResults.flatMap(({ assertionResults }) => assertionResults);
  return new Set(results.filter(({ status }) => status === "failed").map(({ fullName }) => fullName));
}

await program.parseAsync();
