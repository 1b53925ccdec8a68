/** What CRIU says of a failure in its log. */
import { O, open } from "../sys/fd.ts";
import { readTextOf } from "../sys/file.ts";

/** Longest log that is looked at, in bytes: at the level asked for, a large container's has some megabytes. */
const MOST = 64 * 1024 * 1024;

/**
 * The last error in a log: not the line that only says that all has failed, unless there is no other.
 * @param text lines such as `(00.012345) Error (criu/tty.c:12): tty: Found dangling tty`
 */
export function lastError(text: string): string | null {
  const errors = text
    .split("\n")
    .map((line) => line.replace(/^\(\d+\.\d+\)\s*(?:\d+:\s*)?/, "").trim())
    .filter((line) => line.startsWith("Error ("));
  const telling = errors.filter((line) => !/: (Pre-)?(dumping|restoring) FAILED\.$/i.test(line));
  return telling.at(-1) ?? errors.at(-1) ?? null;
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
