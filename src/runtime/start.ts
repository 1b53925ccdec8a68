/** `start`: lets a created container's init go on to the user's program. */

import { openCgroup } from "../cgroup/manager.ts";
import type { Spec } from "../config/types.ts";
import { openHookOutput } from "../hooks/output.ts";
import { HookError, runHooks } from "../hooks/run.ts";
import type { Failure } from "../init/channel.ts";
import { hasErrno, mustSyscall } from "../sys/error.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { exists, unlink } from "../sys/file.ts";
import { join } from "../sys/path-names.ts";
import { POLL, poll } from "../sys/poll.ts";
import { type ExitStatus, endWords, pidfdFind } from "../sys/process.ts";
import { lockOwner } from "../sys/record-lock.ts";
import { decode, encode } from "../sys/text.ts";
import { clearContainer } from "./clear.ts";
import { lockDirectory, unlock } from "./container-lock.ts";
import type { Interruption } from "./interruption.ts";
import { signalInit } from "./kill.ts";
import { forwardReadiness, openNotifySocket } from "./notify-socket.ts";
import { reasonOfInit } from "./oom-reason.ts";
import type { Context } from "./options.ts";
import { containerStatus, isAlive, stateDocument } from "./status.ts";
import {
  type Container,
  containerDirectory,
  findContainer,
  loadContainer,
  loadKeptConfig,
  loadSavedConfig,
  NoSuchContainerError,
  type ProcessIdentity,
  START_FIFO,
} from "./store.ts";

const SIGKILL = 9;
/** How long an init that was killed may take to be gone, in milliseconds. */
const END_TIMEOUT = 10_000;
const STOPPED = "cannot start a container that has stopped";
/** What the waiting init reads. */
const WAKE_UP = "0";

/**
 * Starts a created container.
 * @throws {NoSuchContainerError}
 * @throws {HookError} when a startContainer or poststart hook fails: the container is destroyed
 * @throws {Error} when it is not in the state `created`
 * @see runtime-spec, runtime.md, "Lifecycle", 6 to 9
 */
export function startContainer(context: Context, id: string): void {
  try {
    start(context, id);
  } catch (error) {
    if (error instanceof HookError) destroy(context, id);
    throw error;
  }
}

function start(context: Context, id: string): void {
  const lock = lockDirectory(context.root, id);
  if (lock === null) throw new NoSuchContainerError(id);
  using _ = lock;
  const container = loadContainer(context.root, id);
  const status = containerStatus(context.root, container);
  // The fifo is there until the init is woken.
  if (status === "stopped") throw exists(fifoOf(context, container)) ? diedWaiting(container) : new Error(STOPPED);
  if (status === "running") throw new Error("cannot start an already running container");
  if (status !== "created") throw new Error(`cannot start a container in the ${status} state`);
  using socket = openNotifySocket(containerDirectory(context.root, id));
  releaseInit(context, container, loadSavedConfig(context.root, id), { lock });
  if (socket === null || container.init === null) return;
  using pidfd = pidfdFind(container.init.pid);
  if (pidfd !== null) forwardReadiness(socket, pidfd, container.init.pid, context.log);
}

/** Destroys a container whose init has been ended. That this fails must not hide why it had to be. */
function destroy(context: Context, id: string): void {
  try {
    using lock = lockDirectory(context.root, id);
    const container = findContainer(context.root, id);
    if (lock === null || container === null) return;
    waitForEnd(container);
    clearContainer(context, container, loadKeptConfig(context.root, container));
  } catch (error) {
    context.log.warn(`container ${id} could not be cleared, delete it: ${(error as Error).message}`);
  }
}

function waitForEnd({ init }: Container): void {
  if (!isAlive(init)) return;
  using pidfd = pidfdFind(init.pid);
  if (pidfd !== null) poll([{ fd: pidfd.number, events: POLL.IN }], END_TIMEOUT);
}

/**
 * Wakes the waiting init.
 * @returns the line to it: {@link throwStartError} says what it leaves there
 * @throws {Error} when there is no init any more
 */
export function wakeInit(context: Context, container: Container): Fd {
  const fifo = fifoOf(context, container);
  const writer = openWriter(fifo, container);
  mustSyscall("write", writer.number, encode(WAKE_UP), 1);
  unlink(fifo);
  return writer;
}

/**
 * Wakes the waiting init, waits until it is the user's program, and runs the poststart hooks.
 * @param lock the caller's on the container: given up before the hooks, which may want to work on the container themselves
 * @param interruption requests to end, where the caller holds them back
 * @throws {Error} when the init fails on the way, or a hook does: then the container is stopped; at a request to end
 */
export function releaseInit(
  context: Context,
  container: Container,
  spec: Spec,
  { lock, interruption }: { lock: Fd; interruption?: Interruption },
): void {
  using writer = wakeInit(context, container);
  if (container.init !== null) waitForProgram(writer, container.init, interruption);
  throwStartError(writer, container);
  unlock(lock);
  if (spec.hooks?.poststart === undefined || container.init === null) return;
  try {
    using output = openHookOutput(spec, container.bundle);
    const around = { cwd: container.bundle, ...(output && { output }), ...(interruption && { interruption }) };
    runHooks("poststart", spec.hooks.poststart, stateDocument(container, "running"), around);
  } catch (error) {
    signalInit(container.init, SIGKILL);
    throw error;
  }
}

/** How long to wait between two looks at what tells of itself by no event, in milliseconds. */
const LOOK_AGAIN = 20;

/**
 * Waits until the init is the user's program, or has ended: then it has closed the fifo, mostly as the last to have it open. But another
 * process of the container may have opened it, through the init's descriptors in `/proc`, and keep it. The init's lock on it goes in
 * any case.
 */
function waitForProgram(fifo: Fd, init: ProcessIdentity, interruption?: Interruption): void {
  // A short program may have ended by now, and somebody else have waited for it.
  using pidfd = pidfdFind(init.pid);
  if (pidfd === null) return;
  const signs = [
    { fd: fifo.number, events: 0 },
    { fd: pidfd.number, events: POLL.IN },
  ];
  while (!poll(signs, LOOK_AGAIN).some((seen) => seen !== 0)) {
    if (lockOwner(fifo.number) !== init.pid) return;
    const request = interruption?.received() ?? null;
    if (request !== null) throw new Error(request);
  }
}

function fifoOf(context: Context, { id }: Container): string {
  return join(containerDirectory(context.root, id), START_FIFO);
}

function openWriter(fifo: string, container: Container): Fd {
  try {
    return open(fifo, O.WRONLY | O.NONBLOCK);
  } catch (error) {
    // No reader: the init died between our look at it and now.
    if (hasErrno(error, "ENXIO")) throw diedWaiting(container);
    throw error;
  }
}

/** Of an init that has ended before it was woken. */
function diedWaiting({ cgroup }: Container, message = STOPPED): Error {
  return reasonOfInit(new Error(message), openCgroup(cgroup));
}

/**
 * The init has nobody to tell why it failed but us: it leaves its reason in the fifo.
 * @param end how the init has ended, where that is known
 * @throws {Error} with the reason, if it failed
 */
export function throwStartError(fifo: Fd, container: Container, end?: ExitStatus): void {
  using reader = open(fifo.procPath, O.RDONLY | O.NONBLOCK);
  const memory = new Uint8Array(65536);
  const length = syscall("read", reader.number, memory, memory.length);
  if (length <= 0) return;
  const text = decode(memory.subarray(0, length));
  if (text !== WAKE_UP) throw failureIn(text);
  throw diedWaiting(container, end && `the container's process ${endWords(end)} before it was started`);
}

/** The failure that the init has left. A process of the container that has the fifo open can write to it as well. */
function failureIn(text: string): Error {
  try {
    const { message, hook } = JSON.parse(text) as Partial<Failure>;
    if (typeof message === "string") return hook === true ? new HookError(message) : new Error(message);
  } catch {
    // What is no JSON is as good as nothing.
  }
  return new Error("the container's process has failed, and left a reason that cannot be read");
}
