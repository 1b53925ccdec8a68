/** Waiting for the end of a container. */
import { setTimeout as sleep } from "node:timers/promises";
import { hasErrno } from "../../sys/error.ts";
import type { Fd } from "../../sys/fd.ts";
import { POLL, poll } from "../../sys/poll.ts";
import { pidfdOpen } from "../../sys/process.ts";
import type { Store } from "../store/store.ts";
import { readState } from "./find.ts";
import { exitCodeOf, isAlive } from "./process.ts";
import { type Container, isThere } from "./record.ts";
import { recover } from "./start.ts";
import { isWatched } from "./status.ts";
import { waitUntil } from "./wait.ts";

/**
 * Waits until a container does not run any more.
 * @returns its exit code, 128+N where signal N ended it; `null` where that is lost
 * @throws {Error} for one that has never been started
 */
export async function waitForEnd(store: Store, container: Container): Promise<number | null> {
  for (;;) {
    await recover(store, container);
    const state = readState(store, container);
    switch (state.phase) {
      case "exited":
        return state.exitCode;
      case "created":
        if (!isThere(store, container.id)) return null;
        throw new Error(`${container.name} has not been started`);
      case "starting":
        await sleep(20);
        break;
      case "running": {
        using pidfd = isAlive(state.process) ? openProcess(state.process.pid) : null;
        if (pidfd !== null) poll([{ fd: pidfd.number, events: POLL.IN }]);
        // Its monitor writes down how it ended, and removes it where that was asked for.
        await waitUntil(() => !isWatched(store, container), 10_000);
        if (!isThere(store, container.id)) return pidfd === null ? null : exitCodeOf(state.process.pid, pidfd);
      }
    }
  }
}

/** @returns `null` for one that has just ended */
function openProcess(pid: number): Fd | null {
  try {
    return pidfdOpen(pid);
  } catch (error) {
    if (hasErrno(error, "ESRCH", "EINVAL")) return null;
    throw error;
  }
}
