/**
 * Containers of which the runtime cannot read its own state: `list` leaves them out, and `delete --force` clears them. What they were made from, the
 * configuration that the runtime keeps beside the state, tells whose they are.
 */
import { readFileSync } from "node:fs";
import type { Spec } from "../../config/types.ts";
import { exists, readDirectory } from "../../sys/file.ts";
import { join } from "../../sys/path-names.ts";
import type { Named } from "./names.ts";
import { isName, SHORT_ID } from "./names.ts";
import { listInRuntime } from "./runtime.ts";

/** The runtime's containers are this program's by an annotation, which no image can make. */
export const CONTAINER_ANNOTATION = "org.tsrunc.container";

/** Those below a `--root` that may be one container. */
export interface Candidates {
  ours: string[];
  /** Nothing tells whose they are. */
  unknown: string[];
}

export function damagedInRuntime({ id }: Pick<Named, "id">, root: string): Candidates {
  const candidates: Candidates = { ours: [], unknown: [] };
  if (!exists(root)) return candidates;
  const sound = new Set(listInRuntime(root)?.map(({ id }) => id));
  for (const { name, isDirectory } of readDirectory(root)) {
    if (!isDirectory || !isName(name) || sound.has(name)) continue;
    // Not one that is just being made, or somebody's directory.
    if (!["state.json", "config.json"].some((file) => exists(join(root, name, file)))) continue;
    const owner = ownerOf(join(root, name, "config.json"));
    if (owner === null) candidates.unknown.push(name);
    else if (owner === id || owner === id.slice(0, SHORT_ID)) candidates.ours.push(name);
  }
  return candidates;
}

/** The id of the container that a configuration was made for, or what older versions made of it; `null` where that is lost. */
function ownerOf(path: string): string | null {
  try {
    const { annotations, hostname } = JSON.parse(readFileSync(path, "utf8")) as Spec;
    return annotations?.[CONTAINER_ANNOTATION] ?? hostname ?? "";
  } catch {
    return null;
  }
}
