/** Text in columns, aligned as `runc list` aligns them. */
import { printable } from "../sys/printable.ts";

const MINIMUM_WIDTH = 12;
const GAP = 3;

/**
 * Rows of cells as lines: each column but the last is as wide as its longest cell and three blanks, at least 12.
 * @example `alignColumns([["ID", "PID"], ["web", "42"]])` is `"ID          PID\nweb         42\n"`
 */
export function alignColumns(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? MINIMUM_WIDTH, cell.length + GAP);
    });
  }
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join("");
  return rows.map((row) => `${line(row)}\n`).join("");
}
