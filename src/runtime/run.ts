/** `run`: create, start, and, in the foreground, wait for the end and delete. */
import { exitCode, killChild, prctl } from "../sys/process.ts";
import { clearContainer } from "./clear.ts";
import { prepareForeground, superviseForeground } from "./foreground.ts";
import { type Launched, launch } from "./launch.ts";
import { forwardReadiness, openNotifySocket } from "./notify-socket.ts";
import type { Context, RunOptions } from "./options.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { releaseInit } from "./start.ts";
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
    const launched = launch(context, prepared, options);
    start(context, prepared, launched);
    launched.lock.close();
    return 0;
  }
  const signals = prepareForeground();
  const launched = launch(context, prepared, { ...options, signalMask: signals.maskBefore });
  start(context, prepared, launched);
  launched.lock.close();
  const { pid, pidfd, master } = launched;
  const status = superviseForeground({ pid, pidfd, signals, master, log: context.log });
  if (!options.keep) clearContainer(context, launched.container, prepared.spec);
  return exitCode(status);
}

function start(context: Context, { spec }: Prepared, { container, pid, pidfd }: Launched): void {
  try {
    using socket = openNotifySocket(containerDirectory(context.root, container.id));
    releaseInit(context, container, spec);
    if (socket !== null) forwardReadiness(socket, pidfd, pid, context.log);
  } catch (error) {
    killChild(pid);
    clearContainer(context, container, spec);
    throw error;
  }
}
