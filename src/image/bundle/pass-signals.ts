/** Signals that a user or a script sends to a command that stands in for a container's process: they are for that. */
import type { ChildProcess } from "node:child_process";
import { constants } from "node:os";

/** What has no other meaning for this process itself: not SIGCHLD, SIGPIPE and SIGURG, nor what stops it at its terminal. */
const PASSED = [
  "SIGINT",
  "SIGTERM",
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGCONT",
  "SIGWINCH",
] as const;

/** Hands on each signal that comes, until the end of the block. */
export function passSignals(send: (signal: NodeJS.Signals) => void): Disposable {
  for (const signal of PASSED) process.on(signal, send);
  return {
    [Symbol.dispose]() {
      for (const signal of PASSED) process.off(signal, send);
    },
  };
}

/** Stands in for a process until it ends. @returns as {@link exitCodeOf} */
export async function standInFor(child: ChildProcess): Promise<number> {
  using _ = passSignals((signal) => void child.kill(signal));
  return await exitCodeOf(child);
}

/**
 * Waits for the end of a process that has just been started.
 * @returns its exit code, 128+N where signal N ended it
 * @throws {Error} when it could not be started
 */
export function exitCodeOf(child: ChildProcess): Promise<number> {
  return new Promise((settle, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => settle(code ?? 128 + (constants.signals[signal as NodeJS.Signals] ?? 0)));
  });
}
