/** Progress for programs: an object a line. */
import type { Reporter, Task } from "./reporter.ts";
import { stderr } from "./stderr.ts";
import { formatBytes } from "./units.ts";

/** A line. `label` is what is at work; bytes are of it so far, and in all, `null` where nobody knows. */
export type ProgressEvent =
  | { kind: "progress"; label: string; bytes: number; total: number | null }
  | { kind: "state"; label: string; state: string }
  | { kind: "done"; label: string; result: string }
  | { kind: "note"; message: string };

/** Milliseconds between two lines of one task. */
const INTERVAL = 100n;

export class JsonReporter implements Reporter {
  task(label: string, total: number | null): Task {
    let bytes = 0;
    let last: bigint | null = null;
    this.#write({ kind: "progress", label, bytes, total });
    return {
      update: (now) => {
        bytes = now;
        const time = process.hrtime.bigint() / 1_000_000n;
        if (last !== null && time - last < INTERVAL) return;
        last = time;
        this.#write({ kind: "progress", label, bytes, total });
      },
      say: (state) => this.#write({ kind: "state", label, state }),
      done: (result) => this.#write({ kind: "done", label, result: result ?? formatBytes(total ?? bytes) }),
    };
  }

  note(line: string): void {
    this.#write({ kind: "note", message: line });
  }

  wait(line: string): void {
    this.note(line);
  }

  end(): void {}

  #write(event: ProgressEvent): void {
    stderr.write(`${JSON.stringify(event)}\n`);
  }
}
