/** What a container is doing, derived from what is written down and from what its process says. */
import { existsSync } from "node:fs";
import { isLocked } from "../store/lock.ts";
import type { Store } from "../store/store.ts";
import { readState } from "./find.ts";
import { runtimeState } from "./in-runtime.ts";
import type { Named } from "./names.ts";
import { isAlive } from "./process.ts";
import { type Container, containerPath, type State } from "./record.ts";

/** `incomplete`: its making was interrupted, and it can only be removed. */
export type Status = "incomplete" | "created" | "starting" | "running" | "paused" | "exited";

/** A container's status, and what it was derived from. */
export interface Current {
  status: Status;
  state: State;
}

/** @param inRuntime what the runtime says of it */
export function currentStatus(
  store: Store,
  container: Container,
  inRuntime: () => string | undefined = () => runtimeState(store, container)?.status,
): Current {
  const current = writtenStatus(store, container);
  const { state } = current;
  if (state.phase !== "running" || current.status !== "running" || !isAlive(state.process)) return current;
  return inRuntime() === "paused" ? { state, status: "paused" } : current;
}

/** Whether it is just being started, by a monitor that lives. */
export function isStarting(store: Store, container: Container): boolean {
  return writtenStatus(store, container).status === "starting";
}

/** {@link currentStatus} without a question to the runtime, which is a process for itself: what is paused is running. */
function writtenStatus(store: Store, container: Container): Current {
  const state = readState(store, container);
  switch (state.phase) {
    case "created":
      return { state, status: isComplete(store, container) ? "created" : "incomplete" };
    case "starting":
      return { state, status: isWatched(store, container) ? "starting" : "exited" };
    case "running": {
      if (isEnding(store, container)) return { state, status: "running" };
      // What its monitor has written down meanwhile.
      if (!isAlive(state.process)) return { state: readState(store, container), status: "exited" };
      return { state, status: "running" };
    }
    case "exited":
      return { state, status: "exited" };
  }
}

/** Whether its process has ended, and its monitor has still to write down how: for all others it has not ended until then. */
export function isEnding(store: Store, container: Container): boolean {
  const state = readState(store, container);
  return state.phase === "running" && !isAlive(state.process) && isWatched(store, container);
}

/** Whether a container's process lives now, paused or not: for those who ask again and again. */
export function isRunningNow(store: Store, container: Container): boolean {
  return isRunning(writtenStatus(store, container));
}

/** Whether its process lives. */
export function isRunning({ status }: Current): boolean {
  return status === "running" || status === "paused" || status === "starting";
}

/** Whether its making was finished. */
export function isComplete(store: Store, { id }: Container): boolean {
  return existsSync(`${containerPath(store, id, "bundle")}/config.json`);
}

/** Whether it has a monitor. */
export function isWatched(store: Store, { id }: Named): boolean {
  return isLocked(containerPath(store, id, "monitor"));
}

/** Whether its monitor was killed: one is to take over what that did not do. */
export function isAbandoned(store: Store, container: Container): boolean {
  const state = readState(store, container);
  return (state.phase === "running" || state.phase === "starting") && !isWatched(store, container);
}
