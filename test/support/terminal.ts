/** A terminal for a test to sit at, and what can be seen on it. */
import { readSome, setNonBlocking } from "../../src/sys/io.ts";
import { openPty, type Pty } from "../../src/sys/tty.ts";

/** Why no terminal can be made here, or `null`. */
export function whyNoTerminal(): string | null {
  try {
    const { master, slave } = openPty("/dev/pts");
    master.close();
    slave.close();
    return null;
  } catch (error) {
    return `no terminal can be made in /dev/pts: ${(error as Error).message}`;
  }
}

/** Makes a terminal of which neither end waits. */
export function openTerminal(): Pty {
  const pty = openPty("/dev/pts");
  setNonBlocking(pty.master.number);
  setNonBlocking(pty.slave.number);
  return pty;
}

/** What has come out of a non-blocking descriptor until now. */
export function readAll(fd: number): string {
  const memory = Buffer.alloc(65536);
  let text = "";
  for (;;) {
    const length = readSome(fd, memory);
    if (length === null || length === 0) return text;
    text += memory.toString("utf8", 0, length);
  }
}

/** Waits until a condition holds; the test's own time limit ends it otherwise. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}
