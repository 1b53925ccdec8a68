/**
 * Options and how they are read from arguments: the grammar of Go's flag packages, which the engines write, and
 * of getopt_long, which people and crun's callers write.
 *
 * `-name`, `--name`, `--name value`, `--name=value`, `--switch=false`, `-n value`, `-nvalue`, `-ab`; `--` ends the options.
 * (A parser of our own because loading commander takes 2.5 ms in the interpreter, a third of a whole `state`.)
 */
import { UsageError } from "./usage-error.ts";

/** One option: what it is called in help, and how its value comes about. */
export interface Option<V> {
  /** One letter, without its dash. */
  short?: string;
  /** What the value is called in help; a switch, which takes none, has no such name. */
  argument?: string;
  /** One or two lines, with units and default. */
  help: string;
  /** The value when the option is not given. */
  initial: V;
  /** The words the value is chosen from, for completion. */
  choices?: readonly string[];
  /** Kept out of help: accepted so that a caller's command line works. */
  hidden?: boolean;
  /**
   * The value after one more occurrence.
   * @param text what was given, or `null` for a switch without a value
   * @throws {UsageError}
   */
  read(text: string | null, before: V, name: string): V;
}

/** Options by their long names. */
// biome-ignore lint/suspicious/noExplicitAny: a table holds options of any value; `OptionValues` gives each its type back.
export type OptionTable = Readonly<Record<string, Option<any>>>;

/** The values of a table's options, by long name. */
export type OptionValues<T extends OptionTable> = { [K in keyof T]: T[K] extends Option<infer V> ? V : never };

type Extra = Pick<Option<unknown>, "short" | "hidden">;

/** A switch: `--name`, `--name=true`, `--name=false`. */
export function toggle(help: string, extra: Extra = {}): Option<boolean> {
  return { ...extra, help, initial: false, read: (text, _, name) => (text === null ? true : readBoolean(text, name)) };
}

/** A switch that distinguishes "not given" (`undefined`) from "no". */
export function optionalToggle(help: string, extra: Extra = {}): Option<boolean | undefined> {
  return { ...toggle(help, extra), initial: undefined } as Option<boolean | undefined>;
}

/** A string; the last occurrence counts. */
export function text(argument: string, help: string, extra: Extra = {}): Option<string | undefined> {
  return { ...extra, argument, help, initial: undefined, read: (given) => given ?? "" };
}

/** A whole number from 0 on. */
export function count(argument: string, help: string, extra: Extra = {}): Option<number> {
  return { ...extra, argument, help, initial: 0, read: (given, _, name) => readCount(given ?? "", name) };
}

/** One of a few words, the first of them when not given. */
export function choice<W extends string>(words: readonly [W, ...W[]], help: string, extra: Extra = {}): Option<W> {
  return {
    ...extra,
    argument: words.join("|"),
    help,
    initial: words[0],
    choices: words,
    read(given, _, name) {
      const word = words.find((one) => one === given);
      if (word !== undefined) return word;
      throw new UsageError(`invalid value "${given}" for --${name}: one of ${words.join(", ")} is expected`);
    },
  };
}

/** Strings, one an occurrence; a comma is part of its string. */
export function list(argument: string, help: string, extra: Extra = {}): Option<string[]> {
  return { ...extra, argument, help, initial: [], read: (given, before) => [...before, given ?? ""] };
}

/** Whole numbers from 0 on, one an occurrence. */
export function counts(argument: string, help: string, extra: Extra = {}): Option<number[]> {
  return {
    ...extra,
    argument,
    help,
    initial: [],
    read: (given, before, name) => [...before, readCount(given ?? "", name)],
  };
}

/**
 * A truth value in any spelling that Go's ParseBool takes: `1 t T TRUE true True`, and their opposites.
 * @throws {UsageError}
 */
export function readBoolean(given: string, name: string): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(given)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(given)) return false;
  throw new UsageError(`invalid value "${given}" for --${name}: true or false is expected`);
}

function readCount(given: string, name: string): number {
  if (/^\d{1,10}$/.test(given)) return Number(given);
  throw new UsageError(`invalid value "${given}" for --${name}: a whole number from 0 on is expected`);
}

/** What {@link parseOptions} found. */
export interface Parsed<T extends OptionTable> {
  options: OptionValues<T>;
  /** The long names of the options that were given. */
  given: Set<string>;
  /** Everything else, in order. */
  args: string[];
}

/**
 * Reads options from arguments.
 * @param stopAtFirst whether everything from the first argument on that is not an option belongs to `args`
 * @throws {UsageError} unknown option, missing or invalid value
 */
export function parseOptions<T extends OptionTable>(
  table: T,
  argv: readonly string[],
  { stopAtFirst = false }: { stopAtFirst?: boolean } = {},
): Parsed<T> {
  const values: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(table)) values[name] = option.initial;
  const given = new Set<string>();
  const args: string[] = [];
  const queue = [...argv];
  const read = (name: string, option: Option<unknown>, attached: string | null): void => {
    const value = attached ?? (option.argument === undefined ? null : nextValue(queue, name));
    values[name] = option.read(value, values[name], name);
    given.add(name);
  };
  for (let arg = queue.shift(); arg !== undefined; arg = queue.shift()) {
    if (arg === "--") {
      args.push(...queue.splice(0));
    } else if (!arg.startsWith("-") || arg === "-") {
      args.push(arg, ...(stopAtFirst ? queue.splice(0) : []));
    } else {
      for (const { name, option, attached } of resolve(table, arg)) read(name, option, attached);
    }
  }
  return { options: values as OptionValues<T>, given, args };
}

function nextValue(queue: string[], name: string): string {
  const value = queue.shift();
  if (value === undefined) throw new UsageError(`flag needs an argument: --${name}`);
  return value;
}

interface Occurrence {
  name: string;
  option: Option<unknown>;
  /** The value in the same argument, if there is one. */
  attached: string | null;
}

/** The options that one argument names: one, or several switches in a cluster such as `-td`. */
function resolve(table: OptionTable, arg: string): Occurrence[] {
  const dashes = arg.startsWith("--") ? "--" : "-";
  const equals = arg.indexOf("=");
  const name = arg.slice(dashes.length, equals === -1 ? undefined : equals);
  const attached = equals === -1 ? null : arg.slice(equals + 1);
  const exact = find(table, name);
  if (exact !== null) return [{ ...exact, attached }];
  const cluster = dashes === "-" ? resolveCluster(table, arg.slice(1)) : null;
  if (cluster === null) throw new UsageError(`flag provided but not defined: ${dashes}${name}`);
  return cluster;
}

function resolveCluster(table: OptionTable, letters: string): Occurrence[] | null {
  const found: Occurrence[] = [];
  for (let index = 0; index < letters.length; index++) {
    const one = find(table, letters.charAt(index));
    if (one === null) return null;
    const takesValue = one.option.argument !== undefined;
    const rest = letters.slice(index + 1);
    found.push({ ...one, attached: takesValue && rest !== "" ? rest : null });
    if (takesValue) break;
  }
  return found;
}

function find(table: OptionTable, name: string): { name: string; option: Option<unknown> } | null {
  if (Object.hasOwn(table, name)) return { name, option: table[name] as Option<unknown> };
  if (name.length !== 1) return null;
  const entry = Object.entries(table).find(([, option]) => option.short === name);
  return entry === undefined ? null : { name: entry[0], option: entry[1] };
}
