/** How deep a JSON text is nested: the engine's parser takes 200 ns and 80 bytes for each `[` of millions, and does not stop. */

/** Deepest nesting that is read; a configuration of the spec has 8 levels. */
export const DEEPEST = 1000;

/** Of a longer text the brackets are not counted as a whole beforehand: there may be as many as it is long. */
const SHORT = 1 << 20;

/** How much of a text is looked at at a time, in characters. */
const PIECE = 1 << 15;

/**
 * Whether a text is nested deeper than {@link DEEPEST}. Of a text that is no JSON the answer says nothing.
 *
 * By the engine's own searches, not by looking at each character, which takes the interpreter 100 ns.
 */
export function isTooDeep(text: string): boolean {
  if (text.length < SHORT && opened(text) <= DEEPEST) return false;
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; ) {
    const end = pieceEnd(text, at + PIECE);
    // Escapes are in strings only. What is between quotes is a string, and what is not is structure, in turns.
    const spans = text.slice(at, end).replaceAll("\\\\", "").replaceAll('\\"', "").split('"');
    const structure = spans.filter((_, index) => (index % 2 === 1) === inString).join("");
    const reached = depthAfter(structure, depth);
    if (reached === null) return true;
    depth = reached;
    inString = inString === (spans.length % 2 === 1);
    at = end;
  }
  return false;
}

/** The end of a piece that is to have this one, or a little later: no escape is cut. */
function pieceEnd(text: string, wanted: number): number {
  let end = wanted;
  while (text[end - 1] === "\\") end++;
  return end === wanted ? end : end + 1;
}

/** The depth after some structure; `null` when it goes too deep. */
function depthAfter(structure: string, before: number): number | null {
  const LENGTH = DEEPEST / 2;
  let depth = before;
  for (let at = 0; at < structure.length; at += LENGTH) {
    const part = structure.slice(at, at + LENGTH);
    const deeper = opened(part);
    if (depth + deeper > DEEPEST && deepest(part, depth) > DEEPEST) return null;
    depth += deeper - closed(part);
  }
  return depth;
}

function opened(text: string): number {
  return count(text, "[") + count(text, "{");
}

function closed(text: string): number {
  return count(text, "]") + count(text, "}");
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}

function deepest(structure: string, before: number): number {
  let depth = before;
  let most = before;
  for (const character of structure) {
    if (character === "[" || character === "{") depth++;
    else if (character === "]" || character === "}") depth--;
    if (depth > most) most = depth;
  }
  return most;
}
