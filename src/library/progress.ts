/** What a command tells while it works: an object a line on stderr, with `--progress json`. */

/** Of `pull` and `importImage`: of something that takes a while, such as a layer. */
export type TransferEvent =
  | {
      kind: "progress";
      /** What it is: the beginning of a layer's digest, `config …`. */
      label: string;
      /** Bytes so far. */
      bytes: number;
      /** Bytes in all; `null` where nobody knows. */
      total: number | null;
    }
  /** It is doing something else, such as `waiting for another process`. */
  | { kind: "state"; label: string; state: string }
  /** `result`: such as `already there`, or its size. */
  | { kind: "done"; label: string; result: string }
  | { kind: "note"; message: string };

/** Of `build`. Steps are numbered in the order in which they begin; steps of several stages may be at work at once. */
export type BuildEvent =
  | { kind: "begin"; step: number; title: string }
  /** A line that the step's command has written, on stdout or stderr. */
  | { kind: "output"; step: number; line: string }
  | { kind: "end"; step: number; how: "done" | "cached" | "failed"; seconds: number }
  | { kind: "warning"; message: string };

/** Hands on the lines that are events. @returns what takes lines */
export function eventTaker<T>(take: ((event: T) => void) | undefined): (line: string) => void {
  return (line) => {
    const event = parseEvent(line);
    if (event !== null) take?.(event as T);
  };
}

export function parseEvent(line: string): { kind: string } | null {
  if (!line.startsWith('{"kind":')) return null;
  try {
    return JSON.parse(line) as { kind: string };
  } catch {
    return null;
  }
}
