/** How containers come into the list, and leave it. */
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { readDirectory } from "../../sys/file.ts";
import { join } from "../../sys/path-names.ts";
import { removeTree } from "../layer/remove-tree.ts";
import { replaceFile, type Store, syncDirectory } from "../store/store.ts";
import { listAll } from "./find.ts";
import type { Named } from "./names.ts";
import { type Container, containerPath, containersPath, lockNames, textOf } from "./record.ts";

/**
 * Writes a container down, before anything of it is made.
 * @param before what must be there before it is, done with the names locked
 * @throws {Error} when another one has its name
 */
export async function addContainer(store: Store, container: Container, before: () => void = () => {}): Promise<void> {
  using _ = await lockNames(store);
  clearInterrupted(store);
  const taken = listAll(store).find(({ name }) => name === container.name);
  if (taken !== undefined) {
    throw new Error(
      `the name ${container.name} belongs to the container ${taken.id.slice(0, 12)}: "tsrunc container rm ${container.name}" removes that`,
    );
  }
  before();
  // It is there whole, or not at all.
  const temporary = join(containersPath(store), `${container.id}.new`);
  mkdirSync(temporary, { mode: 0o700 });
  try {
    const { name, root } = container;
    replaceFile(join(temporary, "container.json"), textOf(container));
    replaceFile(join(temporary, "state.json"), textOf({ phase: "created", name, root }));
    renameSync(temporary, containerPath(store, container.id));
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
  syncDirectory(containersPath(store));
}

/** Takes a container from the list, and then away. Its bundle must be gone. */
export async function dropContainer(store: Store, { id }: Named): Promise<void> {
  using _ = await lockNames(store);
  const gone = join(containersPath(store), `${id}.gone`);
  renameSync(containerPath(store, id), gone);
  removeTree(gone);
}

/** Removes what a kill has left of containers that were being written down or taken away: they are in no list. */
export async function removeInterrupted(store: Store): Promise<void> {
  using _ = await lockNames(store);
  clearInterrupted(store);
}

/** With the names locked, so that nobody is at work on one. */
function clearInterrupted(store: Store): void {
  for (const { name } of readDirectory(containersPath(store))) {
    if (/^[0-9a-f]{64}\.(new|gone)$/.test(name)) removeTree(join(containersPath(store), name));
  }
}
