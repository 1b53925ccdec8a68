/** Printing. */
import { UnreadError, writeOut } from "../sys/standard-streams.ts";

/**
 * Prints a text on stdout, and a newline where it does not end in one.
 * @throws {UnreadError} and {@link Error} as {@link writeOut}
 */
export function print(text: string): void {
  writeOut("stdout", text.endsWith("\n") ? text : `${text}\n`);
}

/**
 * {@link print}, by who has more to do: that nobody reads any more is told when that is done.
 * @returns what to throw then
 * @throws {Error} for another reason
 */
export function tryPrint(text: string): UnreadError | null {
  try {
    print(text);
    return null;
  } catch (error) {
    if (error instanceof UnreadError) return error;
    throw error;
  }
}
