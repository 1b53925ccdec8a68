/** `run`: create, start, and, in the foreground, wait for the end and delete. */
import type { Spec } from "../config/types.ts";
import { exitCode, killChild, prctl } from "../sys/process.ts";
import { clearContainer } from "./clear.ts";
import { prepareForeground, superviseForeground } from "./foreground.ts";
import { type Launched, launch } from "./launch.ts";
import { forwardReadiness, openNotifySocket } from "./notify-socket.ts";
import type { Context, RunOptions } from "./options.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { releaseInit } from "./start.ts";
import { type Container, containerDirectory, findContainer, lockDirectory } from "./store.ts";

/**
 * Runs a container.
 * @returns the exit code of its process, 128 + n when signal n ended it; 0 at once with `detach`
 * @throws {Error} that names the step that failed; nothing is left behind then
 */
export function runContainer(context: Context, options: RunOptions): number {
  const prepared = prepare(context, options);
  if (!options.noSubreaper) prctl("SET_CHILD_SUBREAPER", 1);
  if (options.detach) {
    const launched = launch(context, prepared, { ...options, waits: false });
    start(context, prepared, launched);
    return 0;
  }
  const signals = prepareForeground();
  const launched = launch(context, prepared, { ...options, waits: false, signalMask: signals.maskBefore });
  start(context, prepared, launched);
  const { pid, pidfd, master } = launched;
  const status = superviseForeground({ pid, pidfd, signals, master, log: context.log });
  if (!options.keep) clear(context, launched.container, prepared.spec);
  return exitCode(status);
}

/** Clears the container away, unless `delete` was quicker: its name may be another container's by now. */
function clear(context: Context, container: Container, spec: Spec): void {
  using lock = lockDirectory(context.root, container.id);
  if (lock === null) return;
  const named = findContainer(context.root, container.id)?.init;
  if (named?.pid === container.init?.pid && named?.startTime === container.init?.startTime) {
    clearContainer(context, container, spec);
  }
}

function start(context: Context, { spec }: Prepared, { container, pid, pidfd, lock }: Launched): void {
  try {
    using socket = openNotifySocket(containerDirectory(context.root, container.id));
    releaseInit(context, container, spec, lock);
    if (socket !== null) forwardReadiness(socket, pidfd, pid, context.log);
  } catch (error) {
    killChild(pid);
    lock.close();
    clear(context, container, spec);
    throw error;
  }
}
