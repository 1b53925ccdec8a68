/** Whose states a runtime believes: what is in them makes it kill, remove, and run hooks, with its own rights. */
import { hasErrno } from "../sys/error.ts";
import { type Stat, stat } from "../sys/stat.ts";

/**
 * Refuses a directory of states, or a container's in it, into which somebody else could have put what it likes.
 * @param stats of the directory, where it is open
 * @throws {Error} when it belongs to neither this user nor root, or everybody may replace what is in it
 */
export function assertTrusted(directory: string, stats: Stat | null = find(directory)): void {
  const user = process.geteuid?.() ?? 0;
  if (stats === null) return;
  if (stats.uid !== user && stats.uid !== 0) {
    throw new Error(
      `${directory}: belongs to user ${stats.uid}, whose word user ${user} does not take for a container's state`,
    );
  }
  const STICKY = 0o1000;
  if ((stats.mode & 0o002) !== 0 && (stats.mode & STICKY) === 0) {
    throw new Error(`${directory}: everybody may write to it: it cannot be trusted to hold containers' states`);
  }
}

/** A directory that is not there, or not to be seen, is for whoever uses it to speak of. */
function find(directory: string): Stat | null {
  try {
    return stat(directory);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "EACCES", "ELOOP")) return null;
    throw error;
  }
}
