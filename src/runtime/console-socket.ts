/** The sockets over which the caller gets the terminal's master and the process's pidfd. */

import { pidfdReceiver } from "../config/annotations.ts";
import type { Spec } from "../config/types.ts";
import type { ExecParentStep } from "../plan/exec.ts";
import type { Connections, PidfdReceiver } from "../plan/parent.ts";
import type { ParentContainerStep } from "../plan/parent-container.ts";
import { monotonicTime } from "../sys/clock.ts";
import { hasErrno } from "../sys/error.ts";
import type { Fd } from "../sys/fd.ts";
import { poll } from "../sys/poll.ts";
import { connect, sendMessage } from "../sys/socket.ts";
import { findStat, isType } from "../sys/stat.ts";
import { encode } from "../sys/text.ts";
import type { ProcessOptions } from "./options.ts";

/** What decides whether a process can have the terminal that it asks for. */
export interface TerminalRequest {
  terminal: boolean;
  /** Whether the runtime leaves while the process runs: `create`, and `--detach`. */
  detach: boolean;
  consoleSocket: string | undefined;
}

/**
 * Refuses a terminal that nobody could use, and a console socket for which there is no terminal.
 * @throws {Error} in the words that engines know
 */
export function checkTerminal({ terminal, detach, consoleSocket }: TerminalRequest): void {
  const hasSocket = consoleSocket !== undefined && consoleSocket !== "";
  if (terminal && detach && !hasSocket) {
    throw new Error("cannot allocate tty if runc will detach without setting console socket");
  }
  if (hasSocket && !(terminal && detach)) {
    throw new Error("cannot use console socket if runc will not detach or allocate tty");
  }
}

/** How long a socket may take to be there, in milliseconds: a caller may have started its listener a moment ago. */
const PATIENCE = 300;
/** Between two looks, in milliseconds. */
const PAUSE = 5;

/**
 * Connects to the socket of an option or annotation: before the container is made, so that a wrong path
 * leaves nothing behind. One that nobody listens on yet is waited for shortly.
 * @param option what named it, for the error
 * @throws {Error} that says what is wrong with the path
 */
export function connectTo(option: "--console-socket" | PidfdReceiver, path: string): Fd {
  const end = monotonicTime() + PATIENCE;
  for (;;) {
    const found = findListener(option, path);
    if (!(found instanceof Error)) return found;
    if (monotonicTime() >= end) throw found;
    poll([], PAUSE);
  }
}

/** @returns what is wrong, where that may change. @throws {Error} where it will not */
function findListener(option: string, path: string): Fd | Error {
  const stat = findStat(path);
  if (stat === null) return new Error(`${option} ${path}: there is no such socket`);
  if (!isType(stat, "socket")) throw new Error(`${option} ${path}: this is not a socket`);
  try {
    return connect(path);
  } catch (error) {
    if (hasErrno(error, "ECONNREFUSED")) return new Error(`${option} ${path}: nobody listens on this socket`);
    if (hasErrno(error, "EPROTOTYPE")) throw new Error(`${option} ${path}: this is not a stream socket`);
    if (hasErrno(error, "EAGAIN")) throw new Error(`${option} ${path}: whoever listens accepts no connection`);
    throw new Error(`${option}: ${(error as Error).message}`, { cause: error });
  }
}

/** How the caller stays connected to a process: the annotation is of the container's own. */
export function connectionsOf(
  { pidFile, pidfdSocket }: Pick<ProcessOptions, "pidFile" | "pidfdSocket">,
  spec?: Spec,
): Connections {
  const receiver = spec === undefined ? undefined : pidfdReceiver(spec);
  return {
    ...(pidFile && { pidFile }),
    pidfdSockets: [
      ...(pidfdSocket ? [{ to: "--pidfd-socket", path: pidfdSocket } as const] : []),
      ...(receiver === undefined ? [] : [{ to: "run.oci.pidfd_receiver", path: receiver } as const]),
    ],
  };
}

/** The sockets that get a pidfd, by what names them. */
export class Receivers extends Map<PidfdReceiver, Fd> implements Disposable {
  [Symbol.dispose](): void {
    for (const socket of this.values()) socket.close();
  }
}

/** Connects to the sockets that steps of a plan are to send a pidfd to. @throws {Error} as {@link connectTo} does */
export function connectReceivers(steps: readonly (ParentContainerStep | ExecParentStep)[]): Receivers {
  const receivers = new Receivers();
  for (const step of steps) if (step.kind === "send-pidfd") receivers.set(step.to, connectTo(step.to, step.path));
  return receivers;
}

/** Hands the terminal over, with a name for it, as callers of runc expect. @throws {Error} that names the option when nobody takes it */
export function sendMaster(socket: Fd, master: Fd): void {
  send("--console-socket", socket, "/dev/ptmx", master);
}

/**
 * Hands over a descriptor of the process.
 * @param option what named the socket, for the error
 * @param process the container's first one, or one started by `exec`; its name in the message is runc's
 * @throws {Error} that names the option when nobody takes it
 */
export function sendPidfd(option: PidfdReceiver, socket: Fd, pidfd: Fd, process: "init" | "exec"): void {
  send(option, socket, process === "init" ? "standard" : "setns", pidfd);
}

function send(option: "--console-socket" | PidfdReceiver, socket: Fd, name: string, fd: Fd): void {
  try {
    sendMessage(socket.number, encode(name), [fd.number]);
  } catch (error) {
    if (hasErrno(error, "EPIPE", "ECONNRESET"))
      throw new Error(`${option}: whoever listened has closed the connection`);
    if (hasErrno(error, "EAGAIN")) throw new Error(`${option}: whoever listened reads nothing`);
    throw new Error(`${option}: ${(error as Error).message}`, { cause: error });
  }
}
