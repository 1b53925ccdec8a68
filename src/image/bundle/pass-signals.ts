/** Signals that a user or a script sends to a command that stands in for a container's process: they are for that. */

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
