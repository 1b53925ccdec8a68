/** What a build tells while it works: each step once begun and once done, with the output of its command between. */
import { stderr } from "../progress/stderr.ts";

/** A step at work. */
export interface StepTask {
  /** Output of its command. */
  output(chunk: Uint8Array): void;
  done(how: "done" | "cached" | "failed"): void;
}

export interface BuildProgress {
  begin(title: string): StepTask;
  warn(line: string): void;
  end(): void;
}

const SECOND = 1_000_000_000n;

function seconds(since: bigint): string {
  const elapsed = process.hrtime.bigint() - since;
  return `${elapsed / SECOND}.${String(((elapsed % SECOND) * 10n) / SECOND)}s`;
}

/** A line an event, each with its step's number: for a pipe. */
export class PlainProgress implements BuildProgress {
  #last = 0;

  begin(title: string): StepTask {
    const number = ++this.#last;
    const begun = process.hrtime.bigint();
    const lines = new Lines((line) => this.#write(`#${number} ${line}`));
    this.#write(`#${number} ${title}`);
    return {
      output: (chunk) => lines.add(chunk),
      done: (how) => {
        lines.flush();
        const words = { done: `DONE ${seconds(begun)}`, cached: "CACHED", failed: `ERROR after ${seconds(begun)}` };
        this.#write(`#${number} ${words[how]}`);
      },
    };
  }

  warn(line: string): void {
    this.#write(`warning: ${line}`);
  }

  end(): void {}

  #write(line: string): void {
    stderr.write(`${line}\n`);
  }
}

/** Says nothing but warnings, and what a command wrote that fails. */
export class QuietProgress implements BuildProgress {
  begin(): StepTask {
    const tail = new Tail();
    return {
      output: (chunk) => tail.add(chunk),
      done: (how) => {
        if (how === "failed") stderr.write(tail.text);
      },
    };
  }

  warn(line: string): void {
    stderr.write(`warning: ${line}\n`);
  }

  end(): void {}
}

/** Splits what comes in pieces into lines. */
export class Lines {
  #rest = "";
  readonly #decoder = new TextDecoder();

  constructor(readonly take: (line: string) => void) {}

  add(chunk: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split(/\r?\n/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.take(line);
  }

  flush(): void {
    if (this.#rest !== "") this.take(this.#rest);
    this.#rest = "";
  }
}

/** The end of what was written. */
export class Tail {
  static readonly #LONGEST = 16384;
  #text = "";

  add(chunk: Uint8Array): void {
    this.#text = (this.#text + new TextDecoder().decode(chunk)).slice(-Tail.#LONGEST);
  }

  get text(): string {
    return this.#text;
  }
}
