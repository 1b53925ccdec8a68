/** What is kept of a container, read as what anybody may have changed since: it makes us kill, remove and execute. */
import { parseKept } from "../../config/exact-json.ts";
import { check, type Validator } from "../../config/schema.ts";
import { orNull } from "../../sys/error.ts";
import { type Fd, O, open } from "../../sys/fd.ts";
import { readTextOf } from "../../sys/file.ts";
import { fstat, isType } from "../../sys/stat.ts";

/** More than any container has to say. */
const LARGEST = 4 << 20;

/** A document that could be read, or why not, and what of it is JSON all the same. */
export type Kept<T> = { is: "sound"; document: T } | { is: "missing" } | { is: "damaged"; why: string; rest: unknown };

/** Reads a file of JSON that this program has written. */
export function readKept<T>(path: string, validator: Validator<T>): Kept<T> {
  let document: unknown = null;
  try {
    // What has been put in its place must not hold us, as a fifo would.
    using file = orNull(() => open(path, O.RDONLY | O.NONBLOCK | O.NOCTTY | O.NOFOLLOW));
    if (file === null) return { is: "missing" };
    assertOurs(file);
    document = parseKept(readTextOf(file, path, LARGEST));
    check(validator, document, path);
    return { is: "sound", document };
  } catch (error) {
    const { message } = error as Error;
    return { is: "damaged", why: message.startsWith(path) ? message : `${path}: ${message}`, rest: document };
  }
}

/** @throws {Error} for what is no file, or not from this user or root */
function assertOurs(file: Fd): void {
  const stats = fstat(file.number);
  if (!isType(stats, "regular")) throw new Error("it is no file");
  const user = process.geteuid?.() ?? 0;
  if (stats.uid !== user && stats.uid !== 0)
    throw new Error(`it belongs to user ${stats.uid}, whose word user ${user} does not take`);
}
