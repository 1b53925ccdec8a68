/** The arguments of instructions in the forms that they have. */
import type { Assignment, CommandForm, Warning } from "./instructions.ts";
import type { Piece } from "./position.ts";

/** An array of JSON strings; `null` for what is no JSON. @throws {DockerfileError} for an array of other things, as BuildKit */
export function readArray(rest: Piece): string[] | null {
  if (!rest.text.startsWith("[")) return null;
  const value = parsed(rest.text);
  if (!Array.isArray(value)) return null;
  const other: unknown = value.find((item) => typeof item !== "string");
  if (other === undefined) return value as string[];
  return rest.fail(`${JSON.stringify(other)} is no string: an array has strings in double quotes alone`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The exec form, or all as a line for the shell; a warning where the latter looks like the former. */
export function readCommand(rest: Piece, warnings: Warning[]): CommandForm {
  const args = readArray(rest);
  if (args !== null) return { kind: "exec", args };
  // "[ -f x ] && …" is the shell's own, and so is `[ "$x" = y ]`, which has blanks inside of its brackets and no comma between quotes.
  const isTest = /^\[\s.*\s\]\s*$/s.test(rest.text) && !/['"”]\s*,/.test(rest.text);
  if (!isTest && /^\[\s*['"“]/.test(rest.text) && /\]\s*$/.test(rest.text)) {
    warnings.push({
      at: rest.at(),
      rule: "JSONArgsRecommended",
      text: "is no JSON array, though it looks like one, and goes to the shell: strings in double quotes, separated by commas, are right",
    });
  }
  return { kind: "shell", line: rest.text };
}

/** Pieces of an array, or words. */
export function readArrayOrWords(rest: Piece): Piece[] {
  const array = readArray(rest);
  if (array === null) return rest.words();
  return array.map((text) => rest.replaced(text));
}

/**
 * `NAME=value …`, or the old form, a name and a value that reaches to the end.
 * @throws {DockerfileError}
 */
export function readAssignments(keyword: string, rest: Piece, escapeToken: string): Assignment[] {
  const words = quotedWords(rest, escapeToken);
  const first = words[0];
  if (first === undefined) rest.fail(`${keyword} needs at least one NAME=value`);
  if (!first.text.includes("=")) {
    const value = rest.slice(first.text.length).trim();
    if (value.text === "")
      rest.fail(`${keyword} ${first.text}: a value is missing: ${keyword} ${first.text}=value is right`);
    return [{ name: first, value }];
  }
  return words.map((word) => {
    const equals = word.text.indexOf("=");
    if (equals === -1) word.fail(`${JSON.stringify(word.text)} is no NAME=value; a value with blanks needs quotes`);
    if (equals === 0) word.fail(`${JSON.stringify(word.text)} has no name before the "="`);
    return { name: word.slice(0, equals), value: word.slice(equals + 1) };
  });
}

/** `NAME` or `NAME=value`, several of them. @throws {DockerfileError} */
export function readArguments(rest: Piece, escapeToken: string): Assignment[] {
  const words = quotedWords(rest, escapeToken);
  if (words.length === 0) rest.fail("ARG needs a name: ARG NAME or ARG NAME=value is right");
  return words.map((word) => {
    const equals = word.text.indexOf("=");
    const name = equals === -1 ? word : word.slice(0, equals);
    if (name.text === "") word.fail(`${JSON.stringify(word.text)} has no name before the "="`);
    return { name, value: equals === -1 ? null : word.slice(equals + 1) };
  });
}

/** Words, whose blanks may be quoted or escaped; both stay. A quote that is not closed reaches to the end. */
export function quotedWords(rest: Piece, escapeToken: string): Piece[] {
  const { text } = rest;
  const words: Piece[] = [];
  let begin: number | null = null;
  let quote: string | null = null;
  for (let index = 0; index < text.length; index++) {
    const unit = text[index] as string;
    if (quote === null && /\s/.test(unit)) {
      if (begin !== null) words.push(rest.slice(begin, index));
      begin = null;
      continue;
    }
    begin ??= index;
    if (unit === escapeToken && quote !== "'") index++;
    else if (quote !== null) quote = unit === quote ? null : quote;
    else if (unit === '"' || unit === "'") quote = unit;
  }
  if (begin !== null) words.push(rest.slice(begin));
  return words;
}

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** A duration as Go writes it, `1m30s`, in nanoseconds. @throws {DockerfileError} */
export function readDuration(name: string, value: Piece): number {
  if (value.text === "0") return 0;
  const parts = [...value.text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)];
  const total = parts.reduce((sum, [, number, unit]) => sum + Number(number) * (UNITS[unit as string] as number), 0);
  if (parts.map(([part]) => part).join("") !== value.text || parts.length === 0) {
    value.fail(`--${name}=${value.text}: a duration such as 30s or 1m30s is right`);
  }
  if (total > 0 && total < 1e6) value.fail(`--${name}=${value.text}: at least 1ms, or 0 for the default, is right`);
  return Math.round(total);
}
