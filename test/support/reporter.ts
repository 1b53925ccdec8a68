/** A vitest reporter that leaves the counts, and each skipped test's reason, in `build/test/<project>.json`. */
import { mkdirSync, writeFileSync } from "node:fs";
import type { Reporter, SerializedError, TestModule } from "vitest/node";

/** What one run of one project came to. */
export interface Outcome {
  passed: number;
  failed: number;
  skipped: number;
  /** How many tests were skipped for each reason. */
  reasons: Record<string, number>;
}

/** Where `summary.ts` finds the outcomes. */
export const OUTCOMES = "build/test";

export default class OutcomeReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const outcomes = new Map<string, Outcome>();
    for (const module of modules) {
      const outcome = outcomes.get(module.project.name) ?? { passed: 0, failed: 0, skipped: 0, reasons: {} };
      outcomes.set(module.project.name, outcome);
      count(module, outcome);
    }
    const first = outcomes.values().next().value;
    if (first !== undefined) first.failed += errors.length;
    mkdirSync(OUTCOMES, { recursive: true });
    for (const [project, outcome] of outcomes) {
      writeFileSync(`${OUTCOMES}/${project}.json`, JSON.stringify(outcome, null, 2));
    }
  }
}

function count(module: TestModule, outcome: Outcome): void {
  let failures = 0;
  for (const test of module.children.allTests()) {
    const result = test.result();
    if (result.state === "passed") outcome.passed++;
    else if (result.state === "failed") failures++;
    else {
      outcome.skipped++;
      const note = result.state === "skipped" ? result.note : undefined;
      // A test that is skipped with its whole block has no note; the reason may be in a title.
      const reason = note ?? /needs [^()>]*[^()> ]/.exec(test.fullName)?.[0] ?? `in ${module.relativeModuleId}`;
      outcome.reasons[reason] = (outcome.reasons[reason] ?? 0) + 1;
    }
  }
  // A file that does not load, and a hook that throws, fail without a failed test.
  outcome.failed += module.state() === "failed" ? Math.max(failures, 1) : failures;
}
