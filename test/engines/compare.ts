/** Whether what a workload printed is what is expected, and the same with both runtimes. */
import type { Engine } from "./engines.ts";
import type { Cell } from "./report.ts";
import type { Result } from "./session.ts";
import { inWords, type Workload } from "./workload.ts";

/** @returns `null` for a workload that the engine does not have */
export function compare(engine: Engine, workload: Workload, ours: Result | null, runc: Result | null): Cell | null {
  if (ours === null || runc === null) return null;
  const cell = { engine: engine.name, workload: workload.name };
  if (ours.kind === "skipped") return { ...cell, verdict: ours, tsrunc: null, runc: null };
  if (runc.kind === "skipped") return { ...cell, verdict: runc, tsrunc: null, runc: null };
  const expected = wanted(inWords(workload.expected, engine.speaks) ?? "");
  const ofRunc = workload.runc === undefined ? expected : wanted(inWords(workload.runc.expected, engine.speaks) ?? "");
  const results = { tsrunc: said(ours, expected), runc: said(runc, ofRunc) };
  const how = [results.tsrunc.how ?? [], results.runc.how === null ? [] : `with runc ${results.runc.how}`].flat();
  const verdict = how.length === 0 ? ({ kind: "same" } as const) : ({ kind: "differs", how: how.join("; ") } as const);
  return { ...cell, verdict, ...results };
}

function wanted(text: string): string[] {
  return text.trim().split("\n");
}

function said(result: Result & { kind: "ran" }, expected: readonly string[]): NonNullable<Cell["tsrunc"]> {
  const { outcome, seconds } = result;
  const lines = outcome.stdout
    .trim()
    .split("\n")
    .map((line) => line.trimEnd());
  const at =
    lines.length < expected.length
      ? expected.findIndex((line, index) => line !== lines[index])
      : lines.findIndex((line, index) => line !== expected[index]);
  const error = outcome.stderr.trim().split("\n").at(-1) ?? "";
  const word = error === "" ? "" : ` (last line of stderr: ${quoted(error)})`;
  if (outcome.code === null)
    return { ok: false, seconds, how: `did not end in time, after printing ${quoted(lines.at(-1))}${word}` };
  if (at === -1) return { ok: true, seconds, how: null };
  return { ok: false, seconds, how: `line ${at + 1} is ${quoted(lines[at])}, not ${quoted(expected[at])}${word}` };
}

/** Characters of a line that are shown. */
const LONGEST = 200;

function quoted(line: string | undefined): string {
  if (line === undefined) return "missing";
  return JSON.stringify(line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line);
}
