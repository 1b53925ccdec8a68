/**
 * Where progress goes where it is not redrawn in place. `process.stderr` is a stream, and Node's streams take 9 ms to load, a third of what a
 * short command takes in all.
 */
import { SyscallError } from "../../sys/error.ts";
import { writeSome } from "../../sys/io.ts";
import { POLL, poll } from "../../sys/poll.ts";
import { encode } from "../../sys/text.ts";
import { isTerminal } from "../../sys/tty.ts";

/** What lines are written to. */
export interface TextOutput {
  write(text: string): void;
}

const STDERR = 2;

/** Writes at once, and waits where a pipe is full. That nobody reads any more ends no work. */
export const stderr: TextOutput = {
  write(text) {
    try {
      for (let rest = encode(text); rest.length > 0; ) {
        const written = writeSome(STDERR, rest);
        if (written === null) poll([{ fd: STDERR, events: POLL.OUT }], null);
        else rest = rest.subarray(written);
      }
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
    }
  },
};

/** Whether a person sees it, who can be shown more than lines. */
export function isStderrTerminal(): boolean {
  return isTerminal(STDERR);
}
