/**
 * Pipes for what a container's process writes, in the place of sockets. A socket cannot be opened by a name: a process that writes to
 * `/dev/stdout`, or a server whose log files are links to it, fails with ENXIO. Sockets are what Node and Bun give the programs that they
 * start, and systemd its services.
 */
import { spawn } from "node:child_process";
import { fstatSync } from "node:fs";
import type { Fd } from "../../sys/fd.ts";
import { pipe } from "../../sys/spawn.ts";

export interface Relay extends Disposable {
  /** What is to be written to. To be closed once the process has it. */
  end: Fd;
  /** That all of it was handed on: when everybody has closed the pipe. Rejects when it cannot be. */
  drained: Promise<void>;
}

/**
 * A pipe whose contents are handed on. By cat(1), since an event loop waits for a pipe by a thread for each.
 * @param target a descriptor, or who gets them
 */
export function relayTo(target: number | ((chunk: Uint8Array) => void)): Relay {
  const [from, end] = pipe();
  using reader = from;
  const relay = spawn("cat", [], {
    stdio: [reader.number, typeof target === "number" ? target : "pipe", "ignore"],
    env: { PATH: "/usr/bin:/bin" },
    // What interrupts a terminal's foreground interrupts the process, whose last words are still to be handed on.
    detached: true,
  });
  if (typeof target === "function") relay.stdout?.on("data", target);
  const drained = new Promise<void>((settle, reject) => {
    relay.on("error", reject);
    relay.on("close", () => settle());
  });
  // Whoever waits for it hears of it; until then it is nobody's.
  drained.catch(() => {});
  return { end, drained, [Symbol.dispose]: () => end.close() };
}

/** What a process gets in the place of its caller's descriptors. */
export interface RelayedOutputs extends Disposable {
  /** In the order of what was given: pipes for sockets, and all else as it is. */
  descriptors: number[];
  /** Closes the pipes' ends, once the process has them. */
  close(): void;
  /** As {@link Relay.drained}, of all. */
  drained(): Promise<unknown>;
}

/** {@link relayTo} for those that are sockets. What is one socket is one pipe, which keeps the order of what is written. */
export function relaySockets(fds: readonly number[]): RelayedOutputs {
  const relays = new Map<number, Relay>();
  const descriptors = fds.map((fd) => {
    const stat = fstatSync(fd);
    if (!stat.isSocket()) return fd;
    const relay = relays.get(stat.ino) ?? relayTo(fd);
    relays.set(stat.ino, relay);
    return relay.end.number;
  });
  const close = () => {
    for (const { end } of relays.values()) end.close();
  };
  const drained = () => Promise.all([...relays.values()].map((relay) => relay.drained));
  return { descriptors, close, drained, [Symbol.dispose]: close };
}
