/** Ending the processes of containers. */
import { SIGNALS } from "../../sys/signal.ts";
import type { Store } from "../store/store.ts";
import { sendSignal } from "./in-runtime.ts";
import { type Container, lockContainer } from "./record.ts";
import { runRuntime } from "./runtime.ts";
import { recover } from "./start.ts";
import { currentStatus, isRunningNow, isStarting, isWatched } from "./status.ts";
import { waitUntil } from "./wait.ts";

/** Milliseconds that a start may take whose beginner was killed: the runtime signals nothing that is just being made. */
const START_PATIENCE = 10_000;

/**
 * Sends the stop signal, and after some seconds SIGKILL; comes back when all is written down. One that does not run is fine.
 * @param seconds default: the container's own
 */
export async function stopContainer(
  store: Store,
  container: Container,
  seconds = container.stopTimeout,
): Promise<void> {
  await recover(store, container);
  const hasEnded = () => !isRunningNow(store, container);
  // Whoever starts it is let finish: its process may be there, and not have been told to begin.
  if (!hasEnded()) (await lockContainer(store, container)).close();
  await waitUntil(() => !isStarting(store, container), START_PATIENCE);
  if (!hasEnded()) {
    if (currentStatus(store, container).status === "paused") runRuntime(container, ["resume", container.name]);
    if (seconds > 0) {
      sendSignal(store, container, container.stopSignal);
      await waitUntil(hasEnded, seconds * 1000);
    }
    await killContainer(store, container);
  }
  await waitUntil(() => !isWatched(store, container), 10_000);
}

/** Kills it, if it runs, and waits. @throws {Error} when it does not end */
export async function killContainer(store: Store, container: Container): Promise<void> {
  await recover(store, container);
  await waitUntil(() => !isStarting(store, container), START_PATIENCE);
  const hasEnded = () => !isRunningNow(store, container);
  if (!hasEnded()) sendSignal(store, container, SIGNALS.SIGKILL);
  if (!(await waitUntil(hasEnded, 10_000))) throw new Error(`${container.name} was killed, and has not ended yet`);
}
