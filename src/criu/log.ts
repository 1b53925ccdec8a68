/** What CRIU says of a failure in its log. */
import { O, open } from "../sys/fd.ts";
import { readTextOf } from "../sys/file.ts";

/** Longest log that is looked at, in bytes: at the level asked for, a large container's has some megabytes. */
const MOST = 64 * 1024 * 1024;

/** What is said of any failure, and of what cannot be cleared up after one. */
const CONSEQUENCES =
  /FAILED\.?$|: Killing processes because of failure|: Can't remove the directory|: Can't setup RLIMIT_NOFILE|: Unable to detach from/i;

/** Causes that CRIU does not call errors. */
const UNMARKED = /^Can't connect to server /;

/** Errors with no more lines than these between them follow from each other. */
const APART = 4;

/**
 * The error that a log ends with. Of several that follow from each other it is the first, and none that only says that all has failed, unless
 * there is no other.
 * @param text lines such as `(00.012345) Error (criu/tty.c:12): tty: Found dangling tty`
 */
export function lastError(text: string): string | null {
  const lines = text.split("\n").map((line) => line.replace(/^\(\d+\.\d+\)\s*(?:\d+:\s*)?/, "").trim());
  const errors = lines.flatMap((line, at) => (line.startsWith("Error (") || UNMARKED.test(line) ? [{ line, at }] : []));
  // What comes after that is of processes that were ended.
  const end = errors.find(({ line }) => / FAILED\.$/.test(line))?.at ?? lines.length;
  const telling = errors.filter(({ line, at }) => at < end && !CONSEQUENCES.test(line));
  let first = telling.length - 1;
  const gap = (index: number) => (telling[index]?.at ?? 0) - (telling[index - 1]?.at ?? 0);
  while (first > 0 && gap(first) <= APART) first--;
  return (telling[first] ?? errors.at(-1))?.line ?? null;
}

/** The same of a file; `null`, too, where it cannot be read: there is an error to report already. */
export function lastErrorIn(path: string): string | null {
  try {
    using file = open(path, O.RDONLY | O.NOFOLLOW | O.NONBLOCK);
    return lastError(readTextOf(file, path, MOST));
  } catch {
    return null;
  }
}
