/** What `container rm` does. */
import type { Store } from "../store/store.ts";
import { type Container, isThere, lockContainer } from "./record.ts";
import { removeLocked } from "./remove.ts";
import { recover } from "./start.ts";
import { isRunningNow, isWatched } from "./status.ts";
import { killContainer } from "./stop.ts";
import { waitUntil } from "./wait.ts";

/** @throws {Error} for one that runs, unless it is to be killed: nothing is changed then */
export async function removeContainer(
  store: Store,
  container: Container,
  { force }: { force: boolean },
): Promise<void> {
  using _ = await lockContainer(store, container);
  // Whoever had the lock may have removed it.
  if (!isThere(store, container.id)) return;
  await recover(store, container);
  if (isRunningNow(store, container)) {
    if (!force) {
      throw new Error(
        `${container.name} runs: stop it first ("tsrunc container stop ${container.name}"), or use --force to kill it`,
      );
    }
    await killContainer(store, container);
  }
  await waitUntil(() => !isWatched(store, container), 10_000);
  if (isThere(store, container.id)) await removeLocked(store, container);
}
