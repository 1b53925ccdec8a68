/** `run`: create, start, and, in the foreground, wait for the end and delete. */
import type { Spec } from "../config/types.ts";
import type { Fd } from "../sys/fd.ts";
import { exitCode, killChild, prctl } from "../sys/process.ts";
import { clearContainer } from "./clear.ts";
import { lockAgain, unlock } from "./container-lock.ts";
import { prepareForeground, superviseForeground } from "./foreground.ts";
import { Interruption } from "./interruption.ts";
import { type Launched, launch } from "./launch.ts";
import { forwardReadiness, openNotifySocket } from "./notify-socket.ts";
import type { Context, RunOptions } from "./options.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { releaseInit, throwStartError, wakeInit } from "./start.ts";
import { containerDirectory } from "./store.ts";

/**
 * Runs a container.
 * @returns the exit code of its process, 128 + n when signal n ended it; 0 at once with `detach`
 * @throws {Error} that names the step that failed; nothing is left behind then
 */
export function runContainer(context: Context, options: RunOptions): number {
  const prepared = prepare(context, options);
  if (!options.noSubreaper) prctl("SET_CHILD_SUBREAPER", 1);
  if (options.detach) {
    const interruption = Interruption.ofDetached();
    start(context, prepared, launch(context, prepared, { ...options, waits: false, interruption }), interruption);
    return 0;
  }
  const signals = prepareForeground();
  const interruption = Interruption.ofForeground(signals);
  const launched = launch(context, prepared, { ...options, waits: false, interruption });
  const { pid, pidfd, master } = launched;
  const { spec } = prepared;
  const notified = orAbandon(context, launched, spec, () =>
    openNotifySocket(containerDirectory(context.root, options.id)),
  );
  const line = isStartAwaited(prepared, launched) ? null : startUnawaited(context, launched, spec);
  if (line === null) orAbandon(context, launched, spec, () => release(context, prepared, launched, interruption));
  const status = superviseForeground({ pid, pidfd, signals, master, notified, log: context.log });
  if (line !== null) orClear(context, launched, spec, () => throwStartError(line, launched.container, status));
  if (!options.keep) clear(context, launched, spec);
  return exitCode(status);
}

/** Clears the container away, unless `delete` was quicker. */
function clear(context: Context, { container, lock }: Launched, spec: Spec): void {
  if (lockAgain(lock, container.id)) clearContainer(context, container, spec);
  lock.close();
}

/** Starts the process, and waits until it runs, and is ready where a service manager wants to know. */
function start(context: Context, prepared: Prepared, launched: Launched, interruption: Interruption): void {
  const { container, pid, pidfd } = launched;
  orAbandon(context, launched, prepared.spec, () => {
    using socket = openNotifySocket(containerDirectory(context.root, container.id));
    release(context, prepared, launched, interruption);
    if (socket !== null) forwardReadiness(socket, pidfd, pid, context.log, interruption);
  });
}

/** Waits until the process runs: a request to end that comes before is one to undo all. */
function release(
  context: Context,
  { spec }: Prepared,
  { container, lock }: Launched,
  interruption: Interruption,
): void {
  releaseInit(context, container, spec, { lock, interruption });
}

/** Whether something is to be done at the moment at which the process runs, or may take its time before. */
function isStartAwaited({ spec: { hooks = {} } }: Prepared, { master }: Launched): boolean {
  const { startContainer = [], poststart = [] } = hooks;
  return master !== null || startContainer.length + poststart.length > 0;
}

/** Starts the process. Whether it ran is found out when it has ended: waiting for it twice takes longer. */
function startUnawaited(context: Context, launched: Launched, spec: Spec): Fd {
  const line = orAbandon(context, launched, spec, () => wakeInit(context, launched.container));
  unlock(launched.lock);
  return line;
}

/** Does something to a waiting init; if it fails, the init is killed and the container cleared away. */
function orAbandon<T>(context: Context, launched: Launched, spec: Spec, act: () => T): T {
  return orClear(context, launched, spec, () => {
    try {
      return act();
    } catch (error) {
      killChild(launched.pid);
      throw error;
    }
  });
}

/** Does something without which there is no container: if it fails, all of it is cleared away. */
function orClear<T>(context: Context, launched: Launched, spec: Spec, act: () => T): T {
  try {
    return act();
  } catch (error) {
    clear(context, launched, spec);
    throw error;
  }
}
