/** Removing containers: with their writable layer and their unnamed volumes; the named ones stay. */
import { existsSync } from "node:fs";
import { removeBundle } from "../bundle/marker.ts";
import { removeTree } from "../layer/remove-tree.ts";
import type { Store } from "../store/store.ts";
import { type Container, containerPath, dropContainer, lockContainer, readContainer } from "./record.ts";
import { clearInRuntime } from "./runtime.ts";

/** Removes one that does not run; the caller has its lock. */
export async function removeLocked(store: Store, container: Container): Promise<void> {
  clearInRuntime(store, container);
  const bundle = containerPath(store, container.id, "bundle");
  if (existsSync(`${bundle}/image.json`)) removeBundle(bundle);
  if (existsSync(bundle)) removeTree(bundle);
  await dropContainer(store, container);
}

/** Removes one that has ended, if nobody else does. */
export async function removeEnded(store: Store, container: Container): Promise<void> {
  if (readContainer(store, container.id) === null) return;
  using _ = await lockContainer(store, container);
  if (readContainer(store, container.id) !== null) await removeLocked(store, container);
}
