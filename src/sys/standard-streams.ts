/**
 * Stdout and stderr as they came from the caller: open or not, read or not, blocking or not. Not by Node's streams, which take 9 ms to load, and
 * which a snapshot has not.
 */
import { ERRNO } from "./errno.ts";
import { errnoText, hasErrno, SyscallError } from "./error.ts";
import { MISSING_STREAM } from "./executable.ts";
import { statusFlags, writeSome } from "./io.ts";
import { POLL, poll } from "./poll.ts";
import { SIGNALS } from "./signal.ts";
import { encode } from "./text.ts";

const DESCRIPTORS = { stdout: 1, stderr: 2 } as const;

/** What a shell counts a program as that wrote to a pipe which nobody reads: other programs end by SIGPIPE then, which the engine ignores. */
export const BROKEN_PIPE = 128 + SIGNALS.SIGPIPE;

/** Nobody reads what is written any more, as in `… | head`: who asked for it has what was wanted, and nothing is to be said. */
export class UnreadError extends Error {
  override readonly name = "UnreadError";
}

/**
 * Writes what was asked for, waiting where a pipe is full.
 * @throws {UnreadError}
 * @throws {Error} `write to standard output: …`, also where the caller has closed that
 */
export function writeOut(stream: keyof typeof DESCRIPTORS, content: string | Uint8Array): void {
  requireStream(stream);
  try {
    writeAll(DESCRIPTORS[stream], content);
  } catch (error) {
    throw streamError(stream, error);
  }
}

/** Says on stderr what is no result. That it cannot be said, or nobody reads it, ends no work. */
export function say(text: string): void {
  try {
    writeAll(DESCRIPTORS.stderr, text);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
  }
}

/** @throws {Error} where the caller has closed it: what is written there would be lost without a word */
export function requireStream(stream: keyof typeof DESCRIPTORS): void {
  if ((statusFlags(DESCRIPTORS[stream]) & MISSING_STREAM) === MISSING_STREAM)
    throw streamError(stream, new SyscallError("write", ERRNO.EBADF));
}

/** An error of writing there, by whatever means, as one that is told or not; another error as it is. */
export function streamError(stream: keyof typeof DESCRIPTORS, error: unknown): unknown {
  const where = `write to standard ${stream === "stdout" ? "output" : "error"}`;
  if (hasErrno(error, "EPIPE")) return new UnreadError(`${where}: nobody reads it`);
  const { code, errno, syscall } = error as NodeJS.ErrnoException;
  const isOfWriting = error instanceof SyscallError || (error instanceof Error && syscall === "write");
  if (!isOfWriting || errno === undefined) return error;
  return new Error(`${where}: ${code}: ${errnoText(Math.abs(errno))}`);
}

/**
 * Writes all of a text, or of bytes, to a descriptor, waiting where it is a pipe that is full and not blocking.
 * @throws {SyscallError} the write's error, such as `EPIPE`
 */
export function writeAll(fd: number, content: string | Uint8Array): void {
  let rest = typeof content === "string" ? encode(content) : content;
  while (rest.length > 0) {
    const written = writeSome(fd, rest);
    if (written === null) poll([{ fd, events: POLL.OUT }], null);
    else rest = rest.subarray(written);
  }
}
