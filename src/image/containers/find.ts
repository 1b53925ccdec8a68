/** The containers that there are, and which of them is meant. */
import { readDirectory } from "../../sys/file.ts";
import type { Store } from "../store/store.ts";
import { type DamagedContainer, DamagedContainerError, isDamaged, readEither, readStateFile } from "./damaged.ts";
import { findNamed, isId, type Named, NoSuchContainerError } from "./names.ts";
import { type Container, containerPath, containersPath, isThere, type State } from "./record.ts";

/** All containers, in the order of their making, those that are damaged last. */
export function listAll(store: Store): (Container | DamagedContainer)[] {
  const all = readDirectory(containersPath(store))
    .filter(({ name, isDirectory }) => isDirectory && isId(name))
    .flatMap(({ name }) => readEither(store, name) ?? []);
  const made = (container: Container | DamagedContainer) => (isDamaged(container) ? "~" : container.created);
  return all.sort((one, other) => (made(one) < made(other) ? -1 : made(one) > made(other) ? 1 : 0));
}

/** {@link listAll}, without those that are damaged. */
export function listContainers(store: Store): Container[] {
  return listAll(store).flatMap((container) => (isDamaged(container) ? [] : [container]));
}

/** @throws {NoSuchContainerError} @throws {DamagedContainerError} @see findNamed */
export function findContainer(store: Store, text: string): Container {
  const found = findEither(store, text);
  if (isDamaged(found)) throw new DamagedContainerError(found);
  return found;
}

/** @throws {NoSuchContainerError} @see findNamed */
function findEither(store: Store, text: string): Container | DamagedContainer {
  return findNamed(listAll(store), text);
}

/**
 * The one that is to be removed, damaged or not.
 * @throws {NoSuchContainerError} @see findNamed
 * @throws {Error} for a name that nobody has, where one of the damaged has lost its own
 */
export function findToRemove(store: Store, text: string): Container | DamagedContainer {
  try {
    return findEither(store, text);
  } catch (error) {
    const nameless = listAll(store).filter((container) => isDamaged(container) && !container.isNamed);
    if (!(error instanceof NoSuchContainerError) || nameless.length === 0 || isId(text)) throw error;
    const ids = nameless.map(({ name }) => name).join(", ");
    throw new Error(`no such container: ${text}; it may be one that is damaged, and whose name is lost: ${ids}`);
  }
}

/** @throws {DamagedContainerError} */
export function readState(store: Store, { id, name }: Named): State {
  const kept = readStateFile(store, id);
  if (kept.is === "sound") return kept.document;
  // Removed meanwhile.
  if (!isThere(store, id)) return { phase: "created" };
  const why = kept.is === "damaged" ? kept.why : `${containerPath(store, id, "state.json")}: is missing`;
  throw new DamagedContainerError({ id, name, why });
}
