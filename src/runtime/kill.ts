/** `kill`: sends a signal to a container's init, or to all of its processes. */
import { openCgroup } from "../cgroup/manager.ts";
import { pidfdFind, pidfdSendSignal, processStat } from "../sys/process.ts";
import { hasOwnPidNamespace } from "./clear.ts";
import type { Context } from "./options.ts";
import { containerStatus, isAlive } from "./status.ts";
import { type Container, loadContainer, loadKeptConfig, type ProcessIdentity } from "./store.ts";

const SIGKILL = 9;

export interface KillOptions {
  /** Every process of the container; not an error when there is none. */
  all: boolean;
}

/**
 * Sends a signal.
 * @throws {NoSuchContainerError}
 * @throws {Error} `container not running`: neither created, nor running, nor paused
 * @see runtime-spec, runtime.md, "Kill"
 */
export function killContainer(context: Context, id: string, signal: number, { all }: KillOptions): void {
  const container = loadContainer(context.root, id);
  if (containerStatus(context.root, container) === "creating") {
    throw new Error("container not running: it is being created");
  }
  const cgroup = openCgroup(container.cgroup);
  // Where the pid namespace is shared, killing the init would leave the others behind.
  const everyone = all || (signal === SIGKILL && !hasOwnPidNamespace(loadKeptConfig(context.root, container)));
  if (everyone && cgroup.exists()) {
    cgroup.killAll(signal);
    if (signal === SIGKILL || all) return;
  }
  if (!isAlive(container.init)) {
    if (all) return;
    throw new Error("container not running");
  }
  if (!signalInit(container.init, signal)) throw new Error("container not running");
  // A process in a frozen v1 cgroup does not even die before it is thawed.
  if (signal === SIGKILL) cgroup.thawTree();
}

/** Signals the init, and nobody who has its pid after it. @returns false when it is gone */
export function signalInit(init: ProcessIdentity, signal: number): boolean {
  using pidfd = pidfdFind(init.pid);
  if (pidfd === null || processStat(init.pid)?.startTime !== init.startTime) return false;
  return pidfdSendSignal(pidfd.number, signal);
}

/** Kills the init and all that is left in the container's cgroup, and waits until the init is gone. */
export function killForGood(container: Container): void {
  const cgroup = openCgroup(container.cgroup);
  try {
    if (isAlive(container.init)) signalInit(container.init, SIGKILL);
  } finally {
    // Whatever becomes of the init, the others go.
    if (cgroup.exists()) {
      cgroup.killAll(SIGKILL);
      cgroup.thawTree();
    }
  }
}
