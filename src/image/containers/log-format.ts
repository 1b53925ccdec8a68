/**
 * The form of a log: a line of time, stream, tag and text, as Kubernetes has it, so that what reads those logs reads these.
 * A line that is not complete has the tag `P`; the next of its stream goes on with it. Pure.
 * @see https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
 */

export type StreamName = "stdout" | "stderr";

/** Bytes of text that a line of the log has at most. */
export const LONGEST_LINE = 16384;

const NEWLINE = 10;

/** Makes lines of a log of what a process writes to one stream. */
export class LogEncoder {
  #partial: Uint8Array = new Uint8Array(0);

  constructor(readonly stream: StreamName) {}

  /** @param time RFC 3339 @returns lines of the log; the beginning of a line is kept for the next time */
  add(bytes: Uint8Array, time: string): Uint8Array {
    let rest: Uint8Array = this.#partial.length === 0 ? bytes : Buffer.concat([this.#partial, bytes]);
    const lines: Uint8Array[] = [];
    for (;;) {
      const end = rest.indexOf(NEWLINE);
      if (end >= 0 && end <= LONGEST_LINE) {
        lines.push(this.#line(rest.subarray(0, end), time, "F"));
        rest = rest.subarray(end + 1);
      } else if (rest.length > LONGEST_LINE) {
        lines.push(this.#line(rest.subarray(0, LONGEST_LINE), time, "P"));
        rest = rest.subarray(LONGEST_LINE);
      } else break;
    }
    this.#partial = rest.slice();
    return Buffer.concat(lines);
  }

  /** Whether the beginning of a line is kept. */
  get isInLine(): boolean {
    return this.#partial.length > 0;
  }

  /** What is kept, as a line that is not complete. */
  flush(time: string): Uint8Array {
    const rest = this.#partial;
    this.#partial = new Uint8Array(0);
    return rest.length === 0 ? rest : this.#line(rest, time, "P");
  }

  #line(text: Uint8Array, time: string, tag: "F" | "P"): Uint8Array {
    return Buffer.concat([Buffer.from(`${time} ${this.stream} ${tag} `), text, Buffer.of(NEWLINE)]);
  }
}

/** A line of a log. */
export interface LogLine {
  time: string;
  stream: StreamName;
  complete: boolean;
  text: Uint8Array;
}

/** Reads the lines of a log; the last may be incomplete, and is given back. A line that is none of a log's (after a crash) is left out. */
export function parseLog(bytes: Uint8Array): { lines: LogLine[]; rest: Uint8Array } {
  const lines: LogLine[] = [];
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    const line = parseLine(bytes.subarray(start, end));
    if (line !== null) lines.push(line);
    start = end + 1;
  }
  return { lines, rest: bytes.subarray(start) };
}

function parseLine(bytes: Uint8Array): LogLine | null {
  const head = Buffer.from(bytes.subarray(0, 64)).toString("latin1");
  const match = /^(\d{4}-\d\d-\d\dT[0-9:.]+Z) (stdout|stderr) ([FP]) /.exec(head);
  if (match === null) return null;
  const [whole, time, stream, tag] = match as unknown as [string, string, StreamName, string];
  return { time, stream, complete: tag === "F", text: bytes.subarray(whole.length) };
}

/** The last lines; parts of one line count as one. */
export function lastLines(lines: readonly LogLine[], count: number): readonly LogLine[] {
  let seen = 0;
  let at = lines.length;
  while (at > 0) {
    const isEnd = lines[at - 1]?.complete === true || at === lines.length;
    if (isEnd && ++seen > count) break;
    at--;
  }
  return lines.slice(at);
}
