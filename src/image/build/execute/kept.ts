/** What builds keep in the store beside layers: a directory each, by a digest of what it is for. Whoever uses it says so, and has it locked. */
import { utimesSync } from "node:fs";
import type { Fd } from "../../../sys/fd.ts";
import { mkdirAll } from "../../../sys/file.ts";
import { createHash } from "../../../sys/hash.ts";
import { join } from "../../../sys/path-names.ts";
import { lock } from "../../store/lock.ts";
import type { Store } from "../../store/store.ts";

/** The file that is locked, shared, by who uses it, and whose time is that of the last use. */
export function usePath(path: string): string {
  return `${path}.used`;
}

/** @returns its path, which may not be there yet, and what keeps it from being collected */
export async function useKept(
  store: Store,
  place: "mounts" | "downloads",
  what: string,
  signal: AbortSignal,
): Promise<{ path: string; use: Fd }> {
  const directory = join(store.root, "build", place);
  mkdirAll(directory, 0o700);
  const path = join(directory, createHash("sha256").update(what).digest("hex"));
  const use = await lock(usePath(path), "shared", undefined, signal);
  const now = new Date();
  utimesSync(usePath(path), now, now);
  return { path, use };
}
