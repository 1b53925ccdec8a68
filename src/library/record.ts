/** What the executable says of itself: with `--log-format json` each error and warning is an object in a line of its own. */

export interface LogRecord {
  level: "error" | "warning" | "info" | "debug";
  message: string;
}

/** @returns `null` for a line that is something else, such as a container's output */
export function parseRecord(line: string): LogRecord | null {
  if (!line.startsWith('{"level":')) return null;
  try {
    const { level, msg } = JSON.parse(line) as { level: unknown; msg: unknown };
    if (typeof msg !== "string" || !isLevel(level)) return null;
    return { level, message: msg };
  } catch {
    return null;
  }
}

export function parseRecords(text: string): LogRecord[] {
  return text.split("\n").flatMap((line) => parseRecord(line) ?? []);
}

/** The last error, which is the reason of a failure. */
export function reasonIn(records: readonly LogRecord[]): string | null {
  return records.filter(({ level }) => level === "error").at(-1)?.message ?? null;
}

function isLevel(level: unknown): level is LogRecord["level"] {
  return ["error", "warning", "info", "debug"].includes(level as string);
}
