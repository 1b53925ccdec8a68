/** Printing. `process.stdout` is not used: the first touch of it loads Node's streams, which takes longer than most commands. */
import { writeSync } from "node:fs";
import { hasErrno } from "../sys/error.ts";

const RETRY_MILLISECONDS = 1;

/**
 * Writes all of a text to a descriptor, waiting where it is a pipe that is full and not blocking.
 * @throws the write's error, such as `EPIPE`
 */
export function writeAll(fd: number, text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if (!hasErrno(error, "EAGAIN")) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MILLISECONDS);
    }
  }
}

/** Prints a text on stdout, and a newline where it does not end in one. */
export function print(text: string): void {
  writeAll(1, text.endsWith("\n") ? text : `${text}\n`);
}
