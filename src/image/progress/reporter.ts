/**
 * What a person sees while waiting: on a terminal a line an item, redrawn in place; elsewhere a line for each that is done; or nothing.
 */
import { printable } from "../../sys/printable.ts";
import { isStderrTerminal, stderr, type TextOutput } from "./stderr.ts";
import { formatBytes } from "./units.ts";

/** Something that takes a while, such as a layer. */
export interface Task {
  /** @param bytes so far */
  update(bytes: number): void;
  /** What it is doing, if that is not the usual: `waiting for another process`. */
  say(state: string): void;
  /** @param result such as `already there`; default: its size */
  done(result?: string): void;
}

export interface Reporter {
  /** @param total bytes; `null` where nobody knows */
  task(label: string, total: number | null): Task;
  /** A line that stays. */
  note(line: string): void;
  /** A line for who watches, and for nobody else: why nothing goes on just now. */
  wait(line: string): void;
  /** No more is drawn. */
  end(): void;
}

/** Says nothing. */
export const quiet: Reporter = {
  task: () => ({ update() {}, say() {}, done() {} }),
  note() {},
  wait() {},
  end() {},
};

/** A reporter on stderr, which leaves stdout to what programs read. */
export async function reporterFor(isQuiet: boolean): Promise<Reporter> {
  if (isQuiet) return quiet;
  if (isStderrTerminal()) {
    const { TerminalReporter } = await import("./terminal-reporter.ts");
    // In one that does not tell its size nothing could be redrawn in place.
    if (process.stderr.columns > 0) return new TerminalReporter(process.stderr);
  }
  return new LineReporter(stderr);
}

/** A line for each that is done. */
export class LineReporter implements Reporter {
  constructor(readonly output: TextOutput) {}

  task(label: string, total: number | null): Task {
    let bytes = 0;
    return {
      update(now) {
        bytes = now;
      },
      say() {},
      done: (result) => this.note(`${label}: ${result ?? formatBytes(total ?? bytes)}`),
    };
  }

  note(line: string): void {
    this.output.write(`${printable(line)}\n`);
  }

  wait(): void {}

  end(): void {}
}
