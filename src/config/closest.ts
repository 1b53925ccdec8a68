/** Which known word one that is not known may stand for. */

/**
 * The known word that takes the fewest changes, whatever the case of letters; `null` where all take too many.
 * @param most how many changes of a known word are still few enough for it
 */
export function closestOf(word: string, known: readonly string[], most: (one: string) => number): string | null {
  let [best, fewest]: [string | null, number] = [null, Number.POSITIVE_INFINITY];
  for (const one of known) {
    const changes = changesBetween(word.toLowerCase(), one.toLowerCase());
    if (changes < fewest && changes <= most(one)) [best, fewest] = [one, changes];
  }
  return best;
}

/** How many letters are added, left out, exchanged for another or with their neighbour (the optimal string alignment). */
export function changesBetween(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= from.length; row++) {
    const [above = [], twoAbove = []] = [rows[row - 1], rows[row - 2]];
    const here = [row];
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1];
      const isSwapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      here[column] = Math.min(
        (above[column] ?? 0) + 1,
        (here[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + (isSame ? 0 : 1),
        isSwapped ? (twoAbove[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    rows.push(here);
  }
  return rows[from.length]?.[to.length] ?? 0;
}
