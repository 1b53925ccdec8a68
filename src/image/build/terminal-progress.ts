/** Progress on a terminal: the steps at work, redrawn in place with the end of their output; what is done stays as a line. */
import { stripVTControlCharacters } from "node:util";
import { createLogUpdate } from "log-update";
import { type BuildProgress, Lines, type StepTask, Tail } from "./progress.ts";

/** Milliseconds between two drawings. */
const INTERVAL = 100;
/** Lines of output that are shown of a step. */
const SHOWN = 4;

interface Active {
  title: string;
  begun: number;
  last: string[];
  tail: Tail;
}

export class TerminalProgress implements BuildProgress {
  readonly #active = new Set<Active>();
  readonly #draw: ReturnType<typeof createLogUpdate>;
  readonly #timer: NodeJS.Timeout;

  constructor(readonly stream: NodeJS.WriteStream) {
    this.#draw = createLogUpdate(stream);
    this.#timer = setInterval(() => this.#redraw(), INTERVAL);
  }

  begin(title: string): StepTask {
    const step: Active = { title, begun: now(), last: [], tail: new Tail() };
    this.#active.add(step);
    const lines = new Lines((line) => {
      step.last = [...step.last, line].slice(-SHOWN);
    });
    return {
      output: (chunk) => {
        step.tail.add(chunk);
        lines.add(chunk);
      },
      done: (how) => {
        this.#active.delete(step);
        const mark = how === "failed" ? "ERROR " : how === "cached" ? "CACHED " : "";
        const time = how === "cached" ? "" : `  ${elapsed(step)}`;
        this.#keep(`${mark}${title}${time}`);
        if (how === "failed") this.#keep(step.tail.text.trimEnd());
      },
    };
  }

  warn(line: string): void {
    this.#keep(`warning: ${line}`);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#draw.clear();
    this.#draw.done();
  }

  #keep(text: string): void {
    if (text === "") return;
    this.#draw.clear();
    this.stream.write(`${text}\n`);
    this.#redraw();
  }

  #redraw(): void {
    const width = (this.stream.columns ?? 80) - 1;
    const most = Math.max(1, (this.stream.rows ?? 24) - 2);
    const lines = [...this.#active].flatMap((step) => [
      `${step.title}  ${elapsed(step)}`,
      ...step.last.map((line) => `  ${plain(line)}`),
    ]);
    if (lines.length > 0)
      this.#draw(
        lines
          .slice(-most)
          .map((line) => line.slice(0, width))
          .join("\n"),
      );
  }
}

/** Without what would move the cursor. */
function plain(line: string): string {
  return stripVTControlCharacters(line)
    .replaceAll("\t", "  ")
    .replace(/\p{Cc}/gu, "");
}

function elapsed({ begun }: Active): string {
  return `${((now() - begun) / 1000).toFixed(1)}s`;
}

function now(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
