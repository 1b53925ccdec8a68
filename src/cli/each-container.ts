/** Commands that do one thing to several containers. */
import type { Named } from "../image/containers/names.ts";
import type { Container } from "../image/containers/record.ts";
import type { Store } from "../image/store/store.ts";
import type { UnreadError } from "../sys/standard-streams.ts";
import { tryPrint } from "./output.ts";

/**
 * Does it to each, one by one unless they wait `together`, whatever becomes of the others; prints the names of those it was done to, or as JSON also their ids.
 * @param absentIsFine whether a container that is not there is no error
 * @throws {Error} for the first that failed; the others' errors are in its message, too
 */
export async function eachContainer(
  store: Store,
  names: readonly string[],
  act: (container: Container) => Promise<void>,
  options: EachOptions = {},
): Promise<number> {
  const { findContainer } = await import("../image/containers/find.ts");
  return eachFound(names, (name) => findContainer(store, name), act, options);
}

interface EachOptions {
  absentIsFine?: boolean;
  /** For what takes as long as a container likes: all begin at once. */
  together?: boolean;
  format?: "text" | "json";
}

/** {@link eachContainer}, of what is found otherwise. */
export async function eachFound<T extends Named>(
  names: readonly string[],
  find: (name: string) => T,
  act: (container: T) => Promise<void>,
  { absentIsFine = false, together = false, format = "text" }: EachOptions,
): Promise<number> {
  const { NoSuchContainerError } = await import("../image/containers/names.ts");
  const errors: string[] = [];
  let unread: UnreadError | null = null;
  const done: { id: string; name: string }[] = [];
  const begin = async (name: string): Promise<T> => {
    const container = find(name);
    await act(container);
    return container;
  };
  const begun = together ? names.map(begin) : [];
  // Each is waited for in its turn.
  for (const one of begun) one.catch(() => {});
  for (const [index, name] of names.entries()) {
    try {
      const container = await (begun[index] ?? begin(name));
      done.push({ id: container.id, name: container.name });
      if (format === "text") unread ??= tryPrint(name);
    } catch (error) {
      if (!absentIsFine || !(error instanceof NoSuchContainerError)) errors.push((error as Error).message);
    }
  }
  if (format === "json") unread = tryPrint(JSON.stringify(done));
  if (errors.length > 0) throw new Error(errors.join("; "));
  if (unread !== null) throw unread;
  return 0;
}
