/** Removing containers: with their writable layer and their unnamed volumes; the named ones stay. */
import { discardBundle } from "../bundle/marker.ts";
import type { Store } from "../store/store.ts";
import { dropContainer } from "./enter.ts";
import { readState } from "./find.ts";
import { clearInRuntime } from "./in-runtime.ts";
import { type Named, NoSuchContainerError } from "./names.ts";
import { type Container, containerPath, isThere, lockContainer } from "./record.ts";

/** Removes one that does not run; the caller has its lock. */
export async function removeLocked(store: Store, container: Container): Promise<void> {
  clearInRuntime(store, container);
  await removeFiles(store, container);
}

/** Removes what the store has of one that nothing else knows any more; the caller has its lock. */
export async function removeFiles(store: Store, container: Named): Promise<void> {
  discardBundle(store, containerPath(store, container.id, "bundle"));
  await dropContainer(store, container);
}

/** Removes one that has ended, if nobody else does, or has started it again. */
export async function removeEnded(store: Store, container: Container): Promise<void> {
  if (!isThere(store, container.id)) return;
  try {
    using _ = await lockContainer(store, container);
    if (readState(store, container).phase === "exited") await removeLocked(store, container);
  } catch (error) {
    if (!(error instanceof NoSuchContainerError)) throw error;
  }
}
