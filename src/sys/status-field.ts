/**
 * A field of `/proc/<pid>/status`: `statusField("Name:\ta\nThreads:\t1\n", "Threads")` is `"1"`. Without a regular expression, of
 * which the first in a process takes 0.1 ms.
 * @returns `null` when there is no such line
 * @see proc_pid_status(5)
 */
export function statusField(status: string, name: string): string | null {
  const before = `\n${name}:`;
  const at = status.indexOf(before);
  if (at < 0) return null;
  const start = at + before.length;
  const end = status.indexOf("\n", start);
  return status.slice(start, end < 0 ? undefined : end).trim();
}
