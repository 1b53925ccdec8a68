/**
 * JSON whose integers have all the 64 bits that the spec gives them: one beyond ±2⁵³ is a `bigint` here, in both directions.
 *
 * The engine's own parser shows the digits that a number was made of, and its writer takes digits as they are; so no library is needed.
 * @see https://github.com/tc39/proposal-json-parse-with-source
 */

/** Parses a text. To be shown each value takes the engine four times as long as to parse it. @throws {SyntaxError} */
export function parseExactly(text: string): unknown {
  const exact = (_: string, value: unknown, { source }: { source: string }) =>
    typeof value === "number" && !Number.isSafeInteger(value) && isInteger(source) ? BigInt(source) : value;
  return JSON.parse(text, exact as (name: string, value: unknown) => unknown);
}

/** Whether a number is written in digits alone: with a point or an exponent it is no integer, as Go has it. */
function isInteger(source: string): boolean {
  return /^-?\d+$/.test(source);
}

/** Before the text of a document that has large integers: whoever reads it back need not look for them. */
const MARK = " ";

/** The text of a document, for {@link parseKept}, and for anybody else: it is plain JSON. */
export function textToKeep(document: unknown): string {
  try {
    return JSON.stringify(document);
  } catch (error) {
    // Of a bigint. Hardly ever: to ask for each value beforehand takes three times as long.
    if (!(error instanceof TypeError)) throw error;
    return MARK + JSON.stringify(document, (_, value) => (typeof value === "bigint" ? asDigits(value) : value));
  }
}

/** Parses what {@link textToKeep} has made. @throws {SyntaxError} */
export function parseKept(text: string): unknown {
  return text.startsWith(MARK) ? parseExactly(text) : JSON.parse(text);
}

function asDigits(value: bigint): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(value));
}
