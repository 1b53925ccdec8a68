/** The flags of instructions: `--name=value` before the arguments. */
import { closest } from "./closest.ts";
import { locating, type Piece } from "./position.ts";
import { withoutQuotes, wordEnd } from "./shell-words.ts";

/** What flags an instruction has; `boolean` ones may stand without a value, `several` be given more than once. `options`, too, whose quotes say what belongs together. */
export type FlagTable = Readonly<Record<string, "value" | "boolean" | "several" | "options">>;

export interface Flags {
  values: ReadonlyMap<string, Piece[]>;
  /** What follows them. */
  rest: Piece;
}

/** @throws {DockerfileError} for one that the instruction does not have, that lacks its value or is given twice */
export function readFlags(keyword: string, rest: Piece, table: FlagTable, escapeToken: string): Flags {
  const values = new Map<string, Piece[]>();
  let at = rest;
  for (;;) {
    const length = wordEnd(at.text, escapeToken);
    const word = at.slice(0, length);
    if (!word.text.startsWith("--")) return { values, rest: at };
    at = at.slice(length).trim();
    if (word.text === "--") return { values, rest: at };
    const equals = word.text.indexOf("=");
    const name = word.text.slice(2, equals === -1 ? undefined : equals);
    const kind = Object.hasOwn(table, name) ? table[name] : undefined;
    if (kind === undefined) unknownFlag(keyword, word, name, table);
    const written = equals === -1 ? null : word.slice(equals + 1);
    const value = written === null || kind === "options" ? written : unquoted(written, escapeToken);
    if (value === null && kind !== "boolean") word.fail(`the flag --${name} needs a value: --${name}=VALUE is right`);
    const before = values.get(name) ?? [];
    if (before.length > 0 && kind !== "several" && kind !== "options")
      word.fail(`the flag --${name} is given twice: once is right`);
    values.set(name, [...before, value ?? word.slice(word.text.length)]);
  }
}

/** Quotes of a value are gone before it is looked at, as in BuildKit: `--from="builder"` is `--from=builder`. @throws {DockerfileError} for one that is not closed */
export function unquoted(value: Piece, escapeToken: string): Piece {
  const text = locating(value, () => withoutQuotes(value.text, escapeToken));
  return text === value.text ? value : value.replaced(text);
}

function unknownFlag(keyword: string, word: Piece, name: string, table: FlagTable): never {
  const names = Object.keys(table);
  if (names.length === 0) word.fail(`${keyword} has no flags, but --${name} is given`);
  const similar = closest(name, names);
  const known = names.map((flag) => `--${flag}`).join(", ");
  return word.fail(
    `${keyword} has no flag --${name}: ${similar === null ? `it has ${known}` : `did you mean --${similar}? It has ${known}`}`,
  );
}

/** The truth value of a boolean flag. @throws {DockerfileError} */
export function readBoolean(name: string, value: Piece | undefined): boolean {
  if (value === undefined) return false;
  if (/^(|1|t|true)$/i.test(value.text)) return true;
  if (/^(0|f|false)$/i.test(value.text)) return false;
  return value.fail(`--${name}=${value.text}: true or false is right`);
}
