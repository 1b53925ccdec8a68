/** Printing. `process.stdout` is not used: it is a stream of the event loop, which a snapshot has not. */

import { writeSome } from "../sys/io.ts";
import { POLL, poll } from "../sys/poll.ts";
import { encode } from "../sys/text.ts";

/**
 * Writes all of a text, or of bytes, to a descriptor, waiting where it is a pipe that is full and not blocking.
 * @throws the write's error, such as `EPIPE`
 */
export function writeAll(fd: number, text: string | Uint8Array): void {
  let rest = typeof text === "string" ? encode(text) : text;
  while (rest.length > 0) {
    const written = writeSome(fd, rest);
    if (written === null) poll([{ fd, events: POLL.OUT }], null);
    else rest = rest.subarray(written);
  }
}

/** Prints a text on stdout, and a newline where it does not end in one. */
export function print(text: string): void {
  writeAll(1, text.endsWith("\n") ? text : `${text}\n`);
}
