/** Where progress goes where it is not redrawn in place. */
import { say } from "../../sys/standard-streams.ts";
import { isTerminal } from "../../sys/tty.ts";

/** What lines are written to. */
export interface TextOutput {
  write(text: string): void;
}

/** Writes at once, and waits where a pipe is full. That nobody reads any more ends no work. */
export const stderr: TextOutput = { write: say };

/** Whether a person sees it, who can be shown more than lines. */
export function isStderrTerminal(): boolean {
  return isTerminal(2);
}
