/** Showing what a container's process has written. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Store } from "../store/store.ts";
import { LogReader } from "./log-file.ts";
import { type LogLine, lastLines, parseLog, type StreamName } from "./log-format.ts";
import { type Container, containerPath, isThere } from "./record.ts";
import { isRunningNow, isWatched } from "./status.ts";

export interface LogsRequest {
  /** Whether to wait for more while it runs. */
  follow: boolean;
  /** How many lines from the end; `null` for all. */
  tail: number | null;
  /** RFC 3339, as the log has it; `null` for all. */
  since: string | null;
  timestamps: boolean;
  write(stream: StreamName, bytes: Uint8Array): void;
}

export async function showLogs(store: Store, container: Container, request: LogsRequest): Promise<void> {
  using reader = new LogReader(containerPath(store, container.id, "log"));
  const printer = new Printer(request);
  let rest: Uint8Array = new Uint8Array(0);
  const read = () => {
    const parsed = parseLog(Buffer.concat([rest, reader.read()]));
    rest = parsed.rest.slice();
    const { since } = request;
    return since === null ? parsed.lines : parsed.lines.filter(({ time }) => time >= since);
  };
  const first = read();
  printer.print(request.tail === null ? first : lastLines(first, request.tail));
  while (request.follow) {
    // Asked before it is read: what has ended by then writes no more.
    const goesOn = isThere(store, container.id) && (isRunningNow(store, container) || isWatched(store, container));
    printer.print(read());
    if (!goesOn) return;
    await sleep(50);
  }
}

class Printer {
  #isInLine: Record<StreamName, boolean> = { stdout: false, stderr: false };

  constructor(private readonly request: LogsRequest) {}

  print(lines: readonly LogLine[]): void {
    const { timestamps, write } = this.request;
    for (const { stream, time, text, complete } of lines) {
      const stamp = timestamps && !this.#isInLine[stream] ? Buffer.from(`${time} `) : Buffer.alloc(0);
      write(stream, Buffer.concat([stamp, text, Buffer.from(complete ? "\n" : "")]));
      this.#isInLine[stream] = !complete;
    }
  }
}
