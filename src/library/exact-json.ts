/**
 * JSON whose integers have all the 64 bits that the spec gives them: one beyond ±2⁵³ is a `bigint`, in both directions.
 *
 * By what every Node has that this library runs on. (`config/exact-json.ts` does it by what came with Node 21.)
 */

/** A string that was a number; no string of JSON begins with a lone surrogate unless it is escaped. */
const MARK = "\udfff";

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** @throws {SyntaxError} */
export function parseExactly(text: string): unknown {
  const plain: unknown = JSON.parse(text);
  if (!/\d{16}/.test(text)) return plain;
  const marked = text.replace(TOKEN, (token) =>
    /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${MARK}${token}"` : token,
  );
  return JSON.parse(marked, (_, value: unknown) =>
    typeof value === "string" && value.startsWith(MARK) && /^-?\d+$/.test(value.slice(1))
      ? BigInt(value.slice(1))
      : value,
  );
}

/** The text of a document; `undefined` for what has none, as with `JSON.stringify`. @throws {TypeError} for one that holds itself */
export function writeExactly(document: unknown): string | undefined {
  const text: string | undefined = JSON.stringify(document, (_, value: unknown) =>
    typeof value === "bigint" ? `${MARK}${value}` : value,
  );
  return text?.replaceAll(/"\\udfff(-?\d+)"/g, "$1");
}
