/**
 * Ends `make test`: adds up what the test projects left in `build/test`, and prints `N passed, N failed, N skipped`.
 *
 * Arguments are the names of the steps of `make test` that failed: a failed step without a failed test (lint, types,
 * a run that crashed before it could count) counts as one failure.
 */
import { existsSync, readFileSync } from "node:fs";
import { OUTCOMES, type Outcome } from "./reporter.ts";

const total: Outcome = { passed: 0, failed: 0, skipped: 0, reasons: {} };
const failedSteps = new Set(process.argv.slice(2));

for (const project of ["unit", "integration"]) {
  const file = `${OUTCOMES}/${project}.json`;
  if (!existsSync(file)) {
    failedSteps.add(project);
    continue;
  }
  const outcome = JSON.parse(readFileSync(file, "utf8")) as Outcome;
  if (outcome.failed > 0) failedSteps.delete(project);
  total.passed += outcome.passed;
  total.failed += outcome.failed;
  total.skipped += outcome.skipped;
  for (const [reason, count] of Object.entries(outcome.reasons)) {
    total.reasons[reason] = (total.reasons[reason] ?? 0) + count;
  }
}
total.failed += failedSteps.size;

for (const step of failedSteps) console.log(`failed: ${step}`);
for (const [reason, count] of Object.entries(total.reasons)) console.log(`skipped ${count}: ${reason}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 ? 1 : 0;
