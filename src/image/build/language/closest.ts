/** What somebody may have meant. */
import { closestOf } from "../../../config/closest.ts";

/** The word that differs the least from another, by a third of its letters at the most; `null` for none. */
export function closest(word: string, candidates: readonly string[]): string | null {
  return closestOf(word, candidates, (candidate) => Math.max(1, Math.floor(candidate.length / 3)));
}
