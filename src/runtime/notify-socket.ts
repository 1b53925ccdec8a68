/**
 * `NOTIFY_SOCKET`: the container's "ready" reaches the service manager that started the runtime.
 *
 * The service manager's socket is the runtime's own: a socket in the state directory is shown to the container instead,
 * and what comes through it is passed on.
 *
 * @see sd_notify(3)
 */

import type { Spec } from "../config/types.ts";
import type { Fd } from "../sys/fd.ts";
import { chmod, mkdir } from "../sys/file.ts";
import { join } from "../sys/path-names.ts";
import { POLL, poll } from "../sys/poll.ts";
import { bindDatagramSocket, receiveBytes, sendDatagram } from "../sys/socket.ts";
import { pipe } from "../sys/spawn.ts";
import { decode } from "../sys/text.ts";
import type { Interruption } from "./interruption.ts";
import type { Logger } from "./options.ts";

const IN_CONTAINER = "/run/notify";

/** The socket of the service manager that started us, if there is one. */
export function hostNotifySocket(): string | undefined {
  return process.env["NOTIFY_SOCKET"] || undefined;
}

/** Where the container's side of the socket is on the host. */
export function notifyDirectory(stateDirectory: string): string {
  return join(stateDirectory, "notify");
}

/** Adds the socket to a configuration, when there is a service manager to be told. */
export function addNotifySocket(spec: Spec, stateDirectory: string): void {
  if (hostNotifySocket() === undefined || spec.process === undefined) return;
  const options = ["bind", "nosuid", "noexec", "nodev", "ro"];
  const mount = { destination: IN_CONTAINER, source: notifyDirectory(stateDirectory), type: "bind", options };
  spec.mounts = [...(spec.mounts ?? []), mount];
  spec.process.env = [...(spec.process.env ?? []), `NOTIFY_SOCKET=${IN_CONTAINER}/notify.sock`];
}

/** Makes the directory that is shown to the container. */
export function makeNotifyDirectory(stateDirectory: string): void {
  if (hostNotifySocket() !== undefined) mkdir(notifyDirectory(stateDirectory), 0o755);
}

/** Makes the socket; done by the command that will wait on it. */
export function openNotifySocket(stateDirectory: string): Fd | null {
  if (hostNotifySocket() === undefined) return null;
  const path = join(notifyDirectory(stateDirectory), "notify.sock");
  const socket = bindDatagramSocket(path);
  chmod(path, 0o777);
  return socket;
}

/**
 * Waits until the container reports that it is ready, or has ended, and tells the service manager.
 * @param pidfd of the container's init, of which the service manager is told as the service's main process
 * @param interruption requests to end, where the caller holds them back
 * @throws {Error} at a request to end
 */
export function forwardReadiness(socket: Fd, pidfd: Fd, pid: number, log: Logger, interruption?: Interruption): void {
  for (;;) {
    const [readable, ended, asked] = poll([
      { fd: socket.number, events: POLL.IN },
      { fd: pidfd.number, events: POLL.IN },
      interruption?.wait ?? { fd: -1, events: 0 },
    ]) as [number, number, number];
    const request = asked === 0 ? null : (interruption?.received() ?? null);
    if (request !== null) throw new Error(request);
    if (readable !== 0) {
      const ready = readReady(socket);
      if (ready !== null) return tellHost(ready, pid, log, awaitReading);
    } else if (ended !== 0) return;
  }
}

/**
 * Takes a message that has come, and tells the service manager if it says that the container is ready. This process stays the service's main
 * one, and is there when it is asked for.
 * @returns whether it was that
 */
export function passReadiness(socket: Fd, log: Logger): boolean {
  const ready = readReady(socket);
  if (ready !== null) tellHost(ready, process.pid, log);
  return ready !== null;
}

/** The line of a message that says that the container is ready; `null` when it says something else. */
function readReady(socket: Fd): string | null {
  const lines = decode(receiveBytes(socket.number)).split("\n");
  return lines.find((line) => line.startsWith("READY=")) ?? null;
}

/** That nobody can be told is no reason to end a container, which is ready. */
function tellHost(ready: string, mainPid: number, log: Logger, then = (_host: string, _log: Logger) => {}): void {
  const host = hostNotifySocket() as string;
  try {
    sendDatagram(host, `${ready}\n`);
    sendDatagram(host, `MAINPID=${mainPid}\n`);
    then(host, log);
  } catch (error) {
    log.warn(
      `NOTIFY_SOCKET: the service manager cannot be told that the container is ready: ${(error as Error).message}`,
    );
  }
}

/** How long the service manager may take to read what was sent, in milliseconds. */
const BARRIER_TIMEOUT = 30_000;

/** Waits until what was sent is read, or systemd may look for us, the sender, when we are gone. @see sd_notify_barrier(3) */
function awaitReading(host: string, log: Logger): void {
  const [read, write] = pipe();
  using _ = read;
  sendDatagram(host, "BARRIER=1", [write.number]);
  write.close();
  const [closed] = poll([{ fd: read.number, events: POLL.IN }], BARRIER_TIMEOUT);
  if (closed === 0) log.warn("the service manager did not answer sd_notify_barrier within 30 s");
}
