/**
 * Properties that annotations set: `org.systemd.property.TimeoutStopUSec: "uint64 123456789"`.
 * @see runc, docs/systemd-properties.md; GVariant Text Format
 */

import type { Value } from "./marshal.ts";
import type { Property } from "./properties.ts";

const PREFIX = "org.systemd.property.";

/** Integers by their keyword: signature, least and greatest. */
const INTEGERS: Record<string, [signature: string, least: bigint, greatest: bigint]> = {
  byte: ["y", 0n, 255n],
  int16: ["n", -(2n ** 15n), 2n ** 15n - 1n],
  uint16: ["q", 0n, 2n ** 16n - 1n],
  int32: ["i", -(2n ** 31n), 2n ** 31n - 1n],
  uint32: ["u", 0n, 2n ** 32n - 1n],
  int64: ["x", -(2n ** 63n), 2n ** 63n - 1n],
  uint64: ["t", 0n, 2n ** 64n - 1n],
};

/**
 * The properties that annotations ask for.
 *
 * A value is a string in quotes, `true` or `false`, a number with or without its type (`int32` without), or an array of such.
 * As in unit files, a name that ends in `Sec` is a time in seconds: it becomes `…USec`, in microseconds.
 * @throws {Error} with the annotation's name, for what is none of these
 */
export function annotationProperties(annotations: Readonly<Record<string, string>>): Property[] {
  return Object.entries(propertyAnnotations(annotations)).map(([annotation, text]) => {
    try {
      return propertyOf(annotation.slice(PREFIX.length), text);
    } catch (error) {
      throw new Error(`annotation ${annotation}: ${(error as Error).message}`);
    }
  });
}

/** The annotations that name properties, as they are. */
export function propertyAnnotations(annotations: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(annotations).filter(([name]) => name.startsWith(PREFIX)));
}

function propertyOf(name: string, text: string): Property {
  if (!/^[A-Za-z]{3,}$/.test(name)) throw new Error("is not the name of a property: letters are");
  const [signature, value] = parseValue(text);
  if (!name.endsWith("Sec") || name.endsWith("USec")) return [name, signature, value];
  if (name === "Sec") throw new Error("is not the name of a property");
  const seconds = Number(value);
  if (!"ynqiuxtd".includes(signature) || !(seconds >= 0)) throw new Error(`a time in seconds is expected, not ${text}`);
  const microseconds = typeof value === "bigint" ? value * 1_000_000n : BigInt(Math.round(seconds * 1e6));
  if (microseconds > 2n ** 64n - 1n) throw new Error(`${text} seconds are too many`);
  return [`${name.slice(0, -"Sec".length)}USec`, "t", microseconds];
}

/** @throws {Error} for what is no value, or has something after it */
export function parseValue(text: string): [signature: string, value: Value] {
  const trimmed = text.trim();
  if (trimmed === "true" || trimmed === "false") return ["b", trimmed === "true"];
  const integer = /^(?:([a-z0-9]+) )?(-?\d+|0x[0-9a-fA-F]+)$/.exec(trimmed);
  if (integer !== null) return parseInteger(integer[1] ?? "int32", integer[2] as string);
  if (/^(?:double )?-?\d+\.\d+$/.test(trimmed)) return ["d", Number(trimmed.replace("double ", ""))];
  if (/^['"]/.test(trimmed)) return ["s", parseString(trimmed)];
  if (/^\[.*\]$/s.test(trimmed)) return parseArray(splitList(trimmed));
  throw new Error(`cannot be understood: ${JSON.stringify(text)}; a string needs quotes`);
}

function parseInteger(keyword: string, digits: string): [string, Value] {
  const type = INTEGERS[keyword];
  if (type === undefined) throw new Error(`unknown type ${JSON.stringify(keyword)}`);
  const [signature, least, greatest] = type;
  const value = BigInt(digits);
  if (value < least || value > greatest) throw new Error(`${digits} is no ${keyword}: ${least} to ${greatest} is`);
  return [signature, signature === "x" || signature === "t" ? value : Number(value)];
}

/** `'it'`, `"it"`, with `\\`, `\'`, `\"`, `\n`, `\t`. */
function parseString(text: string): string {
  const quote = text[0] as string;
  const inside = text.slice(1, -1);
  if (text.length < 2 || !text.endsWith(quote)) throw new Error(`the string ${text} does not end`);
  let result = "";
  for (let at = 0; at < inside.length; at++) {
    const character = inside[at] as string;
    if (character === quote) throw new Error(`something follows the string in ${text}`);
    if (character !== "\\") result += character;
    else {
      const escaped = { "\\": "\\", "'": "'", '"': '"', n: "\n", t: "\t" }[inside[++at] ?? ""];
      if (escaped === undefined) throw new Error(`unknown escape in ${text}`);
      result += escaped;
    }
  }
  return result;
}

function parseArray(elements: string[]): [string, Value] {
  const parsed = elements.map(parseValue);
  const signature = parsed[0]?.[0] ?? "s";
  if (parsed.some(([other]) => other !== signature)) throw new Error("the elements of an array have one type");
  return [`a${signature}`, parsed.map(([, value]) => value)];
}

/** The elements of `[a, b]`; commas in strings do not divide. */
function splitList(text: string): string[] {
  const inside = text.slice(1, -1).trim();
  if (inside === "") return [];
  const elements = [...inside.matchAll(/\s*((?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^,'"[\]])+)(?:,|$)/gy)];
  if (elements.map(([whole]) => whole).join("").length !== inside.length) throw new Error(`${text} is no array`);
  return elements.map(([, element]) => (element as string).trim());
}
