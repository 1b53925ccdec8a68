/** Containers of which `container.json` or `state.json` is lost, or not what was written: they are listed, and can only be removed. */
import { isNamedContainer, isNamedState } from "../../config/generated/named.js";
import type { Store } from "../store/store.ts";
import { type Kept, readKept } from "./kept.ts";
import { isName, type Named, SHORT_ID } from "./names.ts";
import { type Container, containerPath, isThere, type KeptState } from "./record.ts";

export interface DamagedContainer extends Named {
  /** What is wrong, and where. */
  why: string;
  /** Whether its name is known: it has the beginning of its id in the place of one otherwise. */
  isNamed: boolean;
  /** The runtime's `--root`, where that is known. */
  root: string | null;
  /** What is sound of it. */
  container: Container | null;
  state: KeptState | null;
}

export function isDamaged(container: Container | DamagedContainer): container is DamagedContainer {
  return "why" in container;
}

/** A container with both of its documents, or what is left of it; `null` for one that is not there. */
export function readEither(store: Store, id: string): Container | DamagedContainer | null {
  const container = readContainerFile(store, id);
  const state = readStateFile(store, id);
  if (container.is === "sound" && state.is === "sound") return container.document;
  // Removed while it was read.
  if (!isThere(store, id)) return null;
  const [broken, file] =
    container.is === "sound" ? ([state, "state.json"] as const) : ([container, "container.json"] as const);
  const known = { container: soundPart(container), state: soundPart(state) };
  const name = nameIn(container) ?? known.state?.name ?? null;
  return {
    id,
    name: name ?? id.slice(0, SHORT_ID),
    why: broken.is === "damaged" ? broken.why : `${containerPath(store, id, file)}: is missing`,
    isNamed: name !== null,
    root: (known.container ?? known.state)?.root ?? null,
    ...known,
  };
}

function soundPart<T>(kept: Kept<T>): T | null {
  return kept.is === "sound" ? kept.document : null;
}

function readContainerFile(store: Store, id: string): Kept<Container> {
  const path = containerPath(store, id, "container.json");
  const kept = readKept(path, isNamedContainer);
  if (kept.is !== "sound" || kept.document.id === id) return kept;
  return { is: "damaged", why: `${path}: is of another container, ${kept.document.id}`, rest: null };
}

export function readStateFile(store: Store, id: string): Kept<KeptState> {
  return readKept(containerPath(store, id, "state.json"), isNamedState);
}

/** A name that a document says that is not sound otherwise. */
function nameIn(kept: Kept<Container>): string | null {
  if (kept.is === "sound") return kept.document.name;
  const rest = kept.is === "damaged" ? (kept.rest as Partial<Container> | null) : null;
  return typeof rest?.name === "string" && isName(rest.name) ? rest.name : null;
}

export class DamagedContainerError extends Error {
  override readonly name = "DamagedContainerError";

  /** @param force whether its removal has to be forced: it is not known whether it runs */
  constructor({ name, why }: Named & { why: string }, { force } = { force: true }) {
    super(
      `the container ${name} is damaged: ${why} ("tsrunc container rm${force ? " --force" : ""} ${name}" removes it)`,
    );
  }
}
