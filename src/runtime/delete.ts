/** `delete`: removes a container and all that was made for it. */
import { openCgroup } from "../cgroup/manager.ts";
import type { Spec } from "../config/types.ts";
import { POLL, poll } from "../sys/poll.ts";
import { pidfdFind } from "../sys/process.ts";
import { clearContainer, hasOwnPidNamespace } from "./clear.ts";
import { lockDirectory } from "./container-lock.ts";
import { killForGood } from "./kill.ts";
import type { Context } from "./options.ts";
import { livesElsewhere } from "./shared-cgroup.ts";
import { containerStatus, isAlive } from "./status.ts";
import {
  type Container,
  DamagedError,
  findContainer,
  loadKeptConfig,
  NoSuchContainerError,
  removeUnwritten,
} from "./store.ts";

/** How long a killed init may take to be gone, in milliseconds: at first, and after a look for what holds it. */
const [SOON, KILL_TIMEOUT] = [200, 10_000];

export interface DeleteOptions {
  /** Kill what runs; not an error when there is no such container. */
  force: boolean;
}

/**
 * Deletes a container.
 * @throws {NoSuchContainerError}
 * @throws {Error} `cannot delete container <id> that is not stopped: <status>`
 */
export function deleteContainer(context: Context, id: string, { force }: DeleteOptions): void {
  const lock = lockDirectory(context.root, id, () => force && endUnlocked(context, id));
  if (lock === null) {
    if (force) return;
    throw new NoSuchContainerError(id);
  }
  using _ = lock;
  const container = findOrClear(context, id, force);
  if (container === "cleared") return;
  if (container === null) {
    // Its creator died before it had made anything else.
    removeUnwritten(context.root, id);
    if (force) return;
    throw new NoSuchContainerError(id);
  }
  const status = containerStatus(context.root, container);
  if (!force && status !== "stopped" && status !== "created" && status !== "creating") {
    throw new Error(`cannot delete container ${id} that is not stopped: ${status}`);
  }
  const spec = configOf(context, container, force);
  if (!allGone(container, spec)) {
    if (force || status !== "stopped") end(container);
  } else if (force && !livesElsewhere(context, id, openCgroup(container.cgroup))) {
    killForGood(container);
  }
  clearContainer(context, container, spec);
}

/** Finds a container; with `force`, one that cannot be read is cleared as far as may be. @throws {DamagedError} without it */
function findOrClear(context: Context, id: string, force: boolean): Container | null | "cleared" {
  try {
    return findContainer(context.root, id);
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error;
    if (!force) throw new DamagedError(`${error.message} (delete --force clears what can be found)`);
    const { clearDamaged } = require("./damaged.ts") as typeof import("./damaged.ts");
    clearDamaged(context, id, error.message);
    return "cleared";
  }
}

/** The configuration; with `force`, one that cannot be read is done without. @throws {DamagedError} without it */
function configOf(context: Context, container: Container, force: boolean): Spec {
  try {
    return loadKeptConfig(context.root, container);
  } catch (error) {
    if (!(force && error instanceof DamagedError)) throw error;
    context.log.warn(`container ${container.id}: ${error.message}: its poststop hooks were not run`);
    return { ociVersion: container.ociVersion };
  }
}

/** Kills what another command works on, which then fails: it may be waiting for a hook that never ends. */
function endUnlocked(context: Context, id: string): void {
  try {
    const container = findContainer(context.root, id);
    if (container !== null) killForGood(container);
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error;
  }
}

/** Whether the kernel has ended all with the init: what is in the cgroup then has come from elsewhere. */
function allGone({ init }: Container, spec: Spec): boolean {
  return init !== null && !isAlive(init) && hasOwnPidNamespace(spec);
}

/** Kills all processes of a container, and waits until the init has ended. @throws {Error} when it does not */
export function end(container: Container): void {
  killForGood(container);
  if (!isAlive(container.init)) return;
  using pidfd = pidfdFind(container.init.pid);
  if (pidfd === null) return;
  const endsWithin = (timeout: number) => poll([{ fd: pidfd.number, events: POLL.IN }], timeout)[0] !== 0;
  if (endsWithin(SOON)) return;
  thawWhereItIs(container.init.pid, container);
  if (endsWithin(KILL_TIMEOUT)) return;
  throw new Error(`container init still running: process ${container.init.pid} did not end within 10 s of SIGKILL`);
}

/** Loaded when it is named: hardly any delete needs it. */
function thawWhereItIs(pid: number, { cgroup }: Container): void {
  const { thawWhereIs } = require("../cgroup/thaw-where.ts") as typeof import("../cgroup/thaw-where.ts");
  thawWhereIs(pid, cgroup);
}
