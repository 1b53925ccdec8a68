/** Printing. `process.stdout` is not used: it is a stream of the event loop, which a snapshot has not. */

import { ERRNO } from "../sys/errno.ts";
import { errnoText, SyscallError } from "../sys/error.ts";
import { MISSING_STREAM } from "../sys/executable.ts";
import { statusFlags, writeSome } from "../sys/io.ts";
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

/**
 * Prints a text on stdout, and a newline where it does not end in one.
 * @throws {Error} `write to standard output: …`, also where the caller has closed that
 */
export function print(text: string): void {
  printTo(1, "output", text);
}

/** The same on stderr, where stdout has something else. */
export function printError(text: string): void {
  printTo(2, "error", text);
}

function printTo(fd: number, name: string, text: string): void {
  try {
    if ((statusFlags(fd) & MISSING_STREAM) === MISSING_STREAM) throw new SyscallError("write", ERRNO.EBADF);
    writeAll(fd, text.endsWith("\n") ? text : `${text}\n`);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    throw new Error(`write to standard ${name}: ${error.code}: ${errnoText(error.errno)}`);
  }
}
