/** Progress on a terminal: a line an item, redrawn in place. The redrawing is log-update's, which knows terminals; what the lines say is here. */
import { createLogUpdate } from "log-update";
import { printable } from "../../sys/printable.ts";
import type { Reporter, Task } from "./reporter.ts";
import { formatBytes, formatDuration } from "./units.ts";

/** Milliseconds between two drawings. */
const INTERVAL = 100;

interface Line {
  label: string;
  total: number | null;
  bytes: number;
  state: string | null;
  /** Milliseconds of the monotonic clock, and bytes then. */
  begun: { at: number; bytes: number } | null;
}

export class TerminalReporter implements Reporter {
  readonly #lines = new Set<Line>();
  readonly #draw: ReturnType<typeof createLogUpdate>;
  #timer: NodeJS.Timeout | null = null;

  constructor(readonly stream: NodeJS.WriteStream) {
    this.#draw = createLogUpdate(stream);
  }

  task(label: string, total: number | null): Task {
    const line: Line = { label, total, bytes: 0, state: null, begun: null };
    this.#lines.add(line);
    this.#timer ??= setInterval(() => this.#redraw(), INTERVAL);
    return {
      update: (bytes) => {
        line.state = null;
        line.begun ??= { at: now(), bytes };
        line.bytes = bytes;
      },
      say: (state) => {
        line.state = state;
      },
      done: (result) => {
        this.#lines.delete(line);
        this.note(`${label}: ${result ?? formatBytes(total ?? line.bytes)}`);
      },
    };
  }

  note(text: string): void {
    this.#draw.clear();
    this.stream.write(`${printable(text)}\n`);
    this.#redraw();
  }

  wait(line: string): void {
    this.note(line);
  }

  end(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#draw.clear();
    this.#draw.done();
  }

  #redraw(): void {
    const width = this.stream.columns ?? 80;
    // More lines than the terminal has could not be redrawn in place.
    const most = Math.max(1, (this.stream.rows ?? 24) - 2);
    const lines = [...this.#lines].slice(0, most).map((line) => printable(describe(line, now())).slice(0, width - 1));
    if (lines.length > 0) this.#draw(lines.join("\n"));
  }
}

/** One line: `a1b2c3d4e5f6  12.1 MB / 49.0 MB  24%  5.2 MB/s  7s left`. */
export function describe({ label, total, bytes, state, begun }: Line, time: number): string {
  if (state !== null) return `${label}  ${state}`;
  if (begun === null) return `${label}  waiting`;
  const seconds = (time - begun.at) / 1000;
  const rate = seconds > 0.2 ? (bytes - begun.bytes) / seconds : 0;
  const parts = [label, total === null ? formatBytes(bytes) : `${formatBytes(bytes)} / ${formatBytes(total)}`];
  if (total !== null && total > 0) parts.push(`${Math.floor((100 * bytes) / total)}%`);
  if (rate > 0) parts.push(`${formatBytes(rate)}/s`);
  if (rate > 0 && total !== null && bytes < total) parts.push(`${formatDuration((total - bytes) / rate)} left`);
  return parts.join("  ");
}

function now(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
