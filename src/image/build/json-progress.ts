/** A build's progress for programs: an object a line. */
import { stderr } from "../progress/stderr.ts";
import { type BuildProgress, Lines, type StepTask } from "./progress.ts";

/** A line. Steps are numbered in the order in which they begin. */
export type BuildEvent =
  | { kind: "begin"; step: number; title: string }
  | { kind: "output"; step: number; line: string }
  | { kind: "end"; step: number; how: "done" | "cached" | "failed"; seconds: number }
  | { kind: "warning"; message: string };

export class JsonProgress implements BuildProgress {
  #last = 0;

  begin(title: string): StepTask {
    const step = ++this.#last;
    const begun = process.hrtime.bigint();
    const lines = new Lines((line) => this.#write({ kind: "output", step, line }));
    this.#write({ kind: "begin", step, title });
    return {
      output: (chunk) => lines.add(chunk),
      done: (how) => {
        lines.flush();
        const seconds = Number((process.hrtime.bigint() - begun) / 1_000_000n) / 1000;
        this.#write({ kind: "end", step, how, seconds });
      },
    };
  }

  warn(line: string): void {
    this.#write({ kind: "warning", message: line });
  }

  end(): void {}

  #write(event: BuildEvent): void {
    stderr.write(`${JSON.stringify(event)}\n`);
  }
}
