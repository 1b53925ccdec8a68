/** Removing containers: with their writable layer and their unnamed volumes; the named ones stay. */
import { existsSync } from "node:fs";
import { removeBundle } from "../bundle/marker.ts";
import { removeTree } from "../layer/remove-tree.ts";
import type { Store } from "../store/store.ts";
import { NoSuchContainerError } from "./names.ts";
import { type Container, containerPath, dropContainer, lockContainer, readContainer, readState } from "./record.ts";
import { clearInRuntime } from "./runtime.ts";

/** Removes one that does not run; the caller has its lock. */
export async function removeLocked(store: Store, container: Container): Promise<void> {
  clearInRuntime(store, container);
  const bundle = containerPath(store, container.id, "bundle");
  if (existsSync(`${bundle}/image.json`)) removeBundle(bundle);
  if (existsSync(bundle)) removeTree(bundle);
  await dropContainer(store, container);
}

/** Removes one that has ended, if nobody else does, or has started it again. */
export async function removeEnded(store: Store, container: Container): Promise<void> {
  if (readContainer(store, container.id) === null) return;
  try {
    using _ = await lockContainer(store, container);
    if (readState(store, container.id).phase === "exited") await removeLocked(store, container);
  } catch (error) {
    if (!(error instanceof NoSuchContainerError)) throw error;
  }
}
