/** Ends `make test-vm`: what the tests came to in each machine, and in all. A machine without a result counts as a failure. */
import { existsSync, readFileSync } from "node:fs";
import type { Outcome } from "../support/reporter.ts";

const total = { passed: 0, failed: 0, skipped: 0 };
const words = ({ passed, failed, skipped }: typeof total) => `${passed} passed, ${failed} failed, ${skipped} skipped`;

for (const machine of process.argv.slice(2)) {
  const file = `build/test/vm/${machine}/build/test/integration.json`;
  const nothing: Outcome = { passed: 0, failed: 1, skipped: 0, reasons: { "no result": 1 } };
  const outcome = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Outcome) : nothing;
  for (const name of ["passed", "failed", "skipped"] as const) total[name] += outcome[name];
  console.log(`${machine}: ${words(outcome)}`);
  for (const [reason, count] of Object.entries(outcome.reasons)) console.log(`  skipped ${count}: ${reason}`);
}
console.log(words(total));
process.exitCode = total.failed > 0 ? 1 : 0;
