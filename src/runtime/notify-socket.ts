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
 * @param pidfd of the container's init
 */
export function forwardReadiness(socket: Fd, pidfd: Fd, pid: number, log: Logger): void {
  const host = hostNotifySocket() as string;
  for (;;) {
    const [readable, ended] = poll([
      { fd: socket.number, events: POLL.IN },
      { fd: pidfd.number, events: POLL.IN },
    ]) as [number, number];
    if (readable !== 0) {
      const message = decode(receiveBytes(socket.number));
      if (message.split("\n").some((line) => line.startsWith("READY="))) return notifyHost(host, message, pid, log);
    } else if (ended !== 0) return;
  }
}

/** How long the service manager may take to read what was sent, in milliseconds. */
const BARRIER_TIMEOUT = 30_000;

function notifyHost(host: string, message: string, pid: number, log: Logger): void {
  const ready = message.split("\n").find((line) => line.startsWith("READY=")) as string;
  sendDatagram(host, `${ready}\n`);
  sendDatagram(host, `MAINPID=${pid}\n`);
  // Wait until it is read, or systemd may look for us, the sender, when we are gone. sd_notify_barrier(3)
  const [read, write] = pipe();
  sendDatagram(host, "BARRIER=1", [write.number]);
  write.close();
  const [closed] = poll([{ fd: read.number, events: POLL.IN }], BARRIER_TIMEOUT);
  if (closed === 0) log.warn("the service manager did not answer sd_notify_barrier within 30 s");
  read.close();
}
