/**
 * Options as commands declare them: a table by long name, whose values have types, and which becomes options of commander.
 *
 * What commander cannot say itself: a switch may be given a value (`--detach=false`), as Go's flag packages take it, and
 * `--no-pivot` is a switch of that name rather than the opposite of `--pivot`.
 */

import { Option as CommanderOption, InvalidArgumentError } from "commander";
import type { Integer64 } from "../config/types.ts";

/** One option: what it is called in help, and how its value comes about. */
export interface Option<V> {
  /** One letter, without its dash. */
  short?: string;
  /** What the value is called in help; a switch, which needs none, has no such name. */
  argument?: string;
  /** One or two lines, with units and default. */
  help: string;
  /** The value when the option is not given. */
  initial: V;
  /** The words the value is chosen from. */
  choices?: readonly string[];
  /** Kept out of help: accepted so that a caller's command line works. */
  hidden?: boolean;
  /**
   * The value after one more occurrence.
   * @throws {InvalidArgumentError}
   */
  read?(text: string, before: V): V;
}

/** Options by their long names. */
// biome-ignore lint/suspicious/noExplicitAny: a table holds options of any value; `OptionValues` gives each its type back.
export type OptionTable = Readonly<Record<string, Option<any>>>;

/** The values of a table's options, by long name. */
export type OptionValues<T extends OptionTable> = { [K in keyof T]: T[K] extends Option<infer V> ? V : never };

type Extra = Pick<Option<unknown>, "short" | "hidden">;

/** A switch: `--name`, `--name=true`, `--name=false`. */
export function toggle(help: string, extra: Extra = {}): Option<boolean> {
  return { ...extra, help, initial: false, read: readBoolean };
}

/** A switch that distinguishes "not given" (`undefined`) from "no". */
export function optionalToggle(help: string, extra: Extra = {}): Option<boolean | undefined> {
  return { ...extra, help, initial: undefined, read: readBoolean };
}

/** A switch that has to be given a value, of which `auto` says as much as not giving it. */
export function tristate(help: string, extra: Extra = {}): Option<boolean | "auto"> {
  const read = (given: string) => (/^(auto)?$/i.test(given) ? "auto" : readBoolean(given));
  return { ...extra, argument: "true|false|auto", help, initial: "auto", read };
}

/** A string; the last occurrence counts. */
export function text(argument: string, help: string, extra: Extra = {}): Option<string | undefined> {
  return { ...extra, argument, help, initial: undefined };
}

/** A whole number from 0 on. */
export function count(argument: string, help: string, extra: Extra = {}): Option<number> {
  return { ...extra, argument, help, initial: 0, read: readCount };
}

/** A whole number of 64 bits, also below 0. */
export function integer(argument: string, help: string, extra: Extra = {}): Option<Integer64 | undefined> {
  return { ...extra, argument, help, initial: undefined, read: readInteger };
}

/** A number of bytes, with a suffix or without: `512M`, `1.5GiB`, `-1`. */
export function size(argument: string, help: string, extra: Extra = {}): Option<Integer64 | undefined> {
  return { ...extra, argument, help, initial: undefined, read: readSize };
}

/** A time above 0, in milliseconds, as Go writes it: `1m30s`, `500ms`. */
export function duration(argument: string, help: string, initial: number): Option<number> {
  return { argument, help, initial, read: readDuration };
}

/** One of a few words, the first of them when not given. */
export function choice<W extends string>(words: readonly [W, ...W[]], help: string, extra: Extra = {}): Option<W> {
  return { ...extra, argument: words.join("|"), help, initial: words[0], choices: words };
}

/** Strings, one an occurrence; a comma is part of its string. */
export function list(argument: string, help: string, extra: Extra = {}): Option<string[]> {
  return { ...extra, argument, help, initial: [], read: (given, before) => [...before, given] };
}

/** Whole numbers from 0 on, one an occurrence. */
export function counts(argument: string, help: string, extra: Extra = {}): Option<number[]> {
  return { ...extra, argument, help, initial: [], read: (given, before) => [...before, readCount(given)] };
}

/**
 * A truth value in any spelling that Go's ParseBool takes: `1 t T TRUE true True`, and their opposites.
 * @throws {InvalidArgumentError}
 */
function readBoolean(given: string): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(given)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(given)) return false;
  throw new InvalidArgumentError("true or false is expected.");
}

function readCount(given: string): number {
  if (/^\d{1,10}$/.test(given)) return Number(given);
  throw new InvalidArgumentError("A whole number from 0 on is expected.");
}

function readInteger(given: string): Integer64 {
  const value = /^-?\d{1,20}$/.test(given) ? BigInt(given) : null;
  if (value === null || value < -(2n ** 63n) || value >= 2n ** 64n) {
    throw new InvalidArgumentError("A whole number is expected.");
  }
  return BigInt(Number(value)) === value && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** @see https://pkg.go.dev/github.com/docker/go-units, RAMInBytes */
function readSize(given: string): Integer64 {
  const [, number = "", suffix = ""] = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(given) ?? [];
  if (number === "") return readInteger(given);
  const factor = 1024 ** " kmgtp".indexOf(suffix.toLowerCase() || " ");
  return number.includes(".")
    ? Math.floor(Number(number) * factor)
    : readInteger(String(BigInt(number) * BigInt(factor)));
}

function readDuration(given: string): number {
  const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, us: 1e-3, ns: 1e-6 };
  const parts = [...given.matchAll(/(\d+(?:\.\d+)?)(ms|us|ns|s|m|h)/g)];
  const sum = parts.reduce((time, [, number, unit]) => time + Number(number) * units[unit as keyof typeof units], 0);
  if (parts.map(([part]) => part).join("") === given && sum > 0) return sum;
  throw new InvalidArgumentError("A time above 0 is expected, such as 5s or 500ms.");
}

/** An option of commander made of one in a table. */
export class TableOption extends CommanderOption {
  constructor(name: string, { short, argument, help, initial, choices, hidden, read }: Option<unknown>) {
    const letter = short === undefined ? "" : `-${short}, `;
    super(`${letter}--${name} ${argument === undefined ? "[true|false]" : `<${argument}>`}`, help);
    // The name of a value may have brackets in it, and a switch may be called no-something.
    this.optional = argument === undefined;
    this.negate = false;
    this.default(initial).hideHelp(hidden === true);
    if (argument === undefined) this.preset("true");
    if (choices !== undefined) this.choices(choices);
    else if (read !== undefined) this.argParser(read);
  }

  /** Values are found by the long name as it stands. */
  override attributeName(): string {
    return this.name();
  }
}
