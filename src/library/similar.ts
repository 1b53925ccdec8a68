/** What somebody may have meant by the name of an option. */
import { closestOf } from "../config/closest.ts";

/** More changes than these make it another word; and so do changes of this part of the longer one. */
const CHANGES = 3;
const PART = 0.6;

/** The known word that takes the fewest changes, whatever the case of letters; `null` where all take too many. */
export function mostSimilar(word: string, known: readonly string[]): string | null {
  return closestOf(word, known, (one) => Math.min(CHANGES, Math.ceil(PART * Math.max(word.length, one.length)) - 1));
}
