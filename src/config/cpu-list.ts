/** Lists of CPUs and of memory nodes, in the kernel's own format: `0-3,7`. */

/** The highest number accepted: beyond it, a mask would be unreasonably large. */
const MAX = 65536;

/**
 * Parses a list. Blanks around its elements, and empty elements, are allowed.
 * @returns the numbers in the order written, each once; `null` for the empty string, which means "not set"
 * @throws {Error} for what is no list, or names nothing
 * @see cpuset(7), "List format"
 */
export function parseCpuList(text: string): number[] | null {
  if (text === "") return null;
  const members = new Set<number>();
  for (const element of text.split(",")) {
    const range = element.trim();
    if (range === "") continue;
    const [first, last = first] = range.split(/-(.*)/s, 2) as [string, string?];
    const start = parseMember(first, text);
    const end = parseMember(last as string, text);
    if (start > end) throw new Error(`invalid range in ${JSON.stringify(text)}: ${range}`);
    for (let member = start; member <= end; member++) members.add(member);
  }
  if (members.size === 0) throw new Error(`no members found in set ${JSON.stringify(text)}`);
  return [...members];
}

function parseMember(digits: string, list: string): number {
  if (!/^\d+$/.test(digits)) throw new Error(`invalid number ${JSON.stringify(digits)} in ${JSON.stringify(list)}`);
  const number = Number(digits);
  if (number > MAX) throw new Error(`values larger than ${MAX} are not supported: ${list}`);
  return number;
}
