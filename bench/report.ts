/** Shows measurements: as a table with ratios and targets, or as JSON. */
import type { Row } from "./measure.ts";
import type { Runtime } from "./runtimes.ts";

/** What tsrunc should reach: at most so many times a peer's figure. */
export const TARGETS: Record<string, { peer: "runc" | "crun"; ratio: number }[]> = {
  "run, minimal": [{ peer: "runc", ratio: 0.62 }],
  "run, podman": [
    { peer: "runc", ratio: 0.4 },
    { peer: "crun", ratio: 0.65 },
  ],
  "run, podman, first start": [{ peer: "runc", ratio: 1 }],
  // What a call costs is the kernel's work: equal but for noise.
  "a call that is always allowed": [{ peer: "runc", ratio: 1.1 }],
  "a call with a condition": [{ peer: "runc", ratio: 1.1 }],
  exec: [{ peer: "runc", ratio: 0.6 }],
  state: [{ peer: "runc", ratio: 0.75 }],
};

/** Whether a target is met, in figures. */
export interface Verdict {
  target: string;
  ratio: number;
  met: boolean;
}

/** Compares a row with its targets; a target whose peer was not measured is left out. */
export function verdicts(row: Row, runtimes: Runtime[]): Verdict[] {
  return (TARGETS[row.name] ?? []).flatMap(({ peer, ratio: limit }) => {
    const ratio = ratioTo(row, runtimes, peer);
    return ratio === null ? [] : [{ target: `<= ${limit} x ${peer}`, ratio, met: ratio <= limit }];
  });
}

/** tsrunc's figure over a peer's, or `null` without one of them. */
export function ratioTo(row: Row, runtimes: Runtime[], peer: string): number | null {
  const of = (name: string): number | null =>
    row.values[runtimes.findIndex((runtime) => runtime.name === name)] ?? null;
  const [own, other] = [of("tsrunc"), of(peer)];
  return own === null || other === null ? null : own / other;
}

/** The table that `make bench` prints. */
export function table(rows: Row[], runtimes: Runtime[]): string {
  const peers = runtimes.map(({ name }) => name).filter((name) => name !== "tsrunc");
  const head = [
    "",
    "",
    ...runtimes.flatMap(({ name, version }) => [`${name} ${version}`, "CPU"]),
    ...peers.map((name) => `/ ${name}`),
    "target",
  ];
  const body = rows.map((row) => [
    row.name,
    row.unit,
    ...row.values.flatMap((value, index) => [
      figure(value, row.deviations?.[index] ?? null),
      row.cpu?.[index]?.toFixed(1) ?? "",
    ]),
    ...peers.map((peer) => ratioTo(row, runtimes, peer)?.toFixed(2) ?? "-"),
    verdicts(row, runtimes)
      .map(({ target, met }) => `${target}: ${met ? "met" : "missed"}`)
      .join(", "),
  ]);
  const all = [head, ...body];
  const widths = head.map((_, column) => Math.max(...all.map((cells) => (cells[column] ?? "").length)));
  const line = (cells: string[]): string =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ");
  return all.map((cells) => line(cells).trimEnd()).join("\n");
}

function figure(value: number | null, deviation: number | null): string {
  if (value === null) return "failed";
  return deviation === null ? value.toFixed(1) : `${value.toFixed(1)} ± ${deviation.toFixed(1)}`;
}
