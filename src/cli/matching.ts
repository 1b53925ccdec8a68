/** `--regex` of `delete` and `kill`: one command for all containers whose id matches. */

import type { Context } from "../runtime/options.ts";
import { containerIds } from "../runtime/store.ts";
import { toggle } from "./option.ts";
import { UsageError } from "./usage-error.ts";

export const regexOption = toggle("the id is a regular expression: do it to every container that it matches", {
  short: "r",
});

/**
 * Does something to every container whose id matches; one that fails is warned of, and the others have their turn.
 * @param pattern a JavaScript regular expression, found anywhere in the id
 * @throws {UsageError} when the pattern is no regular expression
 */
export async function eachMatching(context: Context, pattern: string, act: (id: string) => void): Promise<void> {
  const expression = compile(pattern);
  for (const id of containerIds(context.root).filter((id) => expression.test(id))) {
    try {
      act(id);
    } catch (error) {
      context.log.warn(`${id}: ${(error as Error).message}`);
    }
  }
}

function compile(pattern: string): RegExp {
  try {
    return new RegExp(pattern);
  } catch (error) {
    throw new UsageError(`"${pattern}" is no regular expression: ${(error as Error).message}`);
  }
}
