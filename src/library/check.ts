/** What callers without types may give in the place of what is expected: said at once, before it becomes an argument `undefined`, or nothing. */
import { mostSimilar } from "./similar.ts";

/** What an option takes. */
export interface Kind {
  /** In the words of an error: `a string`. */
  expected: string;
  fits(given: unknown): boolean;
  /** The options of what is given, or of each of these, where it takes objects. */
  within?: Table;
}

/** The options of a function, or of an object, by their names. */
export type Table = Readonly<Record<string, Kind>>;

/** A table that has all options of a type, and no others, which the compiler sees to. */
export type TableOf<T> = { readonly [Name in keyof T]-?: Kind };

export const isObject = (given: unknown): given is Readonly<Record<string, unknown>> =>
  typeof given === "object" && given !== null && !Array.isArray(given);

/**
 * @param other a table of another use of the same function, of which one option may have been taken for this one's, and what that use is called
 * @throws {TypeError} where the options are none, one of them is of another type, or one is not known: with the known one that it may stand for
 */
export function checkOptions(command: string, options: unknown, table: Table, other?: readonly [Table, string]): void {
  checkObject(command, "options", options);
  checkWithin(command, "", options as Readonly<Record<string, unknown>>, table, other);
}

/** @throws {TypeError} where it is no object */
export function checkObject(command: string, name: string, given: unknown): void {
  checkKind(command, name, given, { expected: "an object", fits: isObject });
}

/** @throws {TypeError} where it is of another kind, or something in it is not known */
export function checkKind(command: string, name: string, given: unknown, { expected, fits, within }: Kind): void {
  if (!fits(given)) throw new TypeError(`${command}: ${name}: ${expected} is expected, not ${shown(given)}`);
  if (within === undefined) return;
  const objects = Array.isArray(given) ? given.map((one, index) => [`${name}[${index}].`, one]) : [[`${name}.`, given]];
  for (const [prefix, one] of objects) if (isObject(one)) checkWithin(command, prefix, one, within);
}

function checkWithin(
  command: string,
  prefix: string,
  given: Readonly<Record<string, unknown>>,
  table: Table,
  other?: readonly [Table, string],
): void {
  for (const [name, one] of Object.entries(given)) {
    // As if it had not been given, which is what it is given for.
    if (one === undefined) continue;
    const kind = Object.hasOwn(table, name) ? table[name] : undefined;
    if (kind === undefined) throw unknownOption(command, prefix + name, name, table, other);
    checkKind(command, prefix + name, one, kind);
  }
}

function unknownOption(
  command: string,
  path: string,
  name: string,
  table: Table,
  other?: readonly [Table, string],
): TypeError {
  if (other !== undefined && Object.hasOwn(other[0], name))
    return new TypeError(`${command}: ${path}: only ${other[1]} has this option`);
  const known = Object.keys(table);
  const similar = mostSimilar(name, known);
  const hint = similar === null ? `known are ${known.join(", ")}` : `did you mean ${similar}?`;
  return new TypeError(`${command}: ${path}: unknown option; ${hint}`);
}

function shown(given: unknown): string {
  if (typeof given === "function") return "a function";
  try {
    return (JSON.stringify(given) ?? String(given)).slice(0, 60);
  } catch {
    return typeof given;
  }
}
