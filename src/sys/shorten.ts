/**
 * A text to be shown: its beginning and its end, which tell the most, when it is longer than `most` characters.
 * @example shorten("abcdefghij", 7) // "abc…hij"
 */
export function shorten(text: string, most: number): string {
  if (text.length <= most) return text;
  const half = Math.max(0, most - 1) / 2;
  const from = Math.ceil(half);
  const to = text.length - Math.floor(half);
  // A pair of surrogates is one character: half of it would be none, or stand for a byte.
  return `${text.slice(0, isPair(text, from) ? from - 1 : from)}…${text.slice(isPair(text, to) ? to + 1 : to)}`;
}

/** Whether a place is between the two halves of a character. */
function isPair(text: string, at: number): boolean {
  const [before, after] = [text.charCodeAt(at - 1), text.charCodeAt(at)];
  return before >= 0xd800 && before < 0xdc00 && after >= 0xdc00 && after < 0xe000;
}
