/** What a run found: as a table of engines and workloads, or as it is for JSON. */

export type Verdict = { kind: "same" } | { kind: "differs"; how: string } | { kind: "skipped"; reason: string };

/** What a runtime came to: as expected, or how not. */
interface Outcome {
  ok: boolean;
  seconds: number;
  how: string | null;
}

export interface Cell {
  engine: string;
  workload: string;
  verdict: Verdict;
  tsrunc: Outcome | null;
  runc: Outcome | null;
}

/** How long a command takes under an engine, medians in milliseconds. */
export interface Latency {
  command: string;
  tsrunc: number;
  runc: number;
}

/** tsrunc's latency is wanted to be at most this times runc's. */
export const WANTED_RATIO = 0.9;

export interface Report {
  engines: { name: string; version: string | null; skipped: string | null }[];
  workloads: string[];
  cells: Cell[];
  latency: Latency[];
  /** A line for each thing that is not as it should be. */
  differences: string[];
}

export function table(report: Report): string {
  const engines = report.engines.filter(({ skipped }) => skipped === null);
  const head = ["tsrunc / runc", ...engines.map(({ name, version }) => `${name} ${version}`)];
  const rows = report.workloads.map((workload) => [
    workload,
    ...engines.map(({ name }) =>
      shown(report.cells.find((cell) => cell.engine === name && cell.workload === workload)),
    ),
  ]);
  const reasons = new Set(
    report.cells.flatMap(({ engine, workload, verdict }) =>
      verdict.kind === "skipped" ? `skipped under ${engine}: ${workload}: ${verdict.reason}` : [],
    ),
  );
  const lines = [
    ...aligned([head, ...rows.filter((cells) => cells.slice(1).some((cell) => cell !== ""))]),
    "",
    ...report.engines.flatMap(({ name, skipped }) => (skipped === null ? [] : `skipped: ${name}: ${skipped}`)),
    ...reasons,
    ...report.latency.map(({ command, tsrunc, runc }) => {
      const ratio = tsrunc / runc;
      const met = ratio <= WANTED_RATIO ? "met" : "missed";
      return `${command}: ${tsrunc.toFixed(0)} ms, with runc ${runc.toFixed(0)} ms: ${ratio.toFixed(2)} (<= ${WANTED_RATIO}: ${met})`;
    }),
  ];
  return lines.join("\n").trimEnd();
}

function shown(cell: Cell | undefined): string {
  if (cell === undefined) return "";
  if (cell.tsrunc === null || cell.runc === null) return "skipped";
  const word = (outcome: Outcome): string => (outcome.ok ? "ok" : "DIFFERS");
  return `${word(cell.tsrunc)} / ${word(cell.runc)}`;
}

function aligned(rows: readonly string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => (cells[column] ?? "").length)));
  return rows.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
