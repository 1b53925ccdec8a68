/** Finds where a text stops being JSON: the engine's own parser does not say. */

import { DEEPEST } from "./json-depth.ts";

/** A place in a text, counted from 1, and what is wrong there. */
export interface JsonProblem {
  line: number;
  column: number;
  problem: string;
}

/** Finds the first error of a text that `JSON.parse` has refused, or that is nested too deeply to be given to it. @see RFC 8259 */
export function findJsonError(text: string): JsonProblem {
  const scanner = new Scanner(text);
  try {
    scanner.document();
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    const before = text.slice(0, error.at);
    const line = before.split("\n").length;
    return { line, column: error.at - before.lastIndexOf("\n"), problem: error.problem };
  }
  return { line: 1, column: 1, problem: "cannot be parsed" };
}

class Stop {
  constructor(
    readonly at: number,
    readonly problem: string,
  ) {}
}

/** Walks over a text by the grammar, and throws a Stop where it cannot go on. */
class Scanner {
  #at = 0;
  #depth = 0;

  constructor(readonly text: string) {}

  document(): void {
    this.#value();
    if (this.#next() !== "") this.#stop("the document has ended before");
  }

  #value(): void {
    const next = this.#next();
    if (next === "{") return this.#list("}", () => this.#member());
    if (next === "[") return this.#list("]", () => this.#value());
    if (next === '"') return this.#string();
    if (this.#take(/-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y) || this.#take(/true|false|null/y)) return;
    this.#stop("expected a value");
  }

  #list(end: string, item: () => void): void {
    if (++this.#depth > DEEPEST) throw new Stop(this.#at, `nested more than ${DEEPEST} deep`);
    this.#items(end, item);
    this.#depth--;
  }

  #items(end: string, item: () => void): void {
    this.#at++;
    if (this.#next() === end) {
      this.#at++;
      return;
    }
    for (;;) {
      item();
      const next = this.#next();
      if (next !== "," && next !== end) this.#stop(`expected , or ${end}`);
      this.#at++;
      if (next === end) return;
      if (this.#next() === end) this.#stop(`there is a comma before ${end}`);
    }
  }

  #member(): void {
    if (this.#next() !== '"') this.#stop("expected a name in double quotes");
    this.#string();
    if (this.#next() !== ":") this.#stop("expected :");
    this.#at++;
    this.#value();
  }

  #string(): void {
    const start = this.#at++;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON allows them only escaped.
    this.#take(/(?:[^"\\\u0000-\u001f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*/y);
    const next = this.text[this.#at];
    if (next === '"') this.#at++;
    else if (next === undefined || next === "\n") throw new Stop(start, "the string has no end");
    else this.#stop(next === "\\" ? "unknown escape in a string" : "control character in a string");
  }

  #next(): string {
    this.#take(/[ \t\r\n]*/y);
    return this.text[this.#at] ?? "";
  }

  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0] ?? "";
    this.#at += found.length;
    return found !== "";
  }

  #stop(problem: string): never {
    const found = this.text[this.#at];
    throw new Stop(
      this.#at,
      found === undefined ? `${problem}, found the end` : `${problem}, found ${JSON.stringify(found)}`,
    );
  }
}
