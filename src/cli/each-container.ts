/** Commands that do one thing to several containers. */
import type { Container } from "../image/containers/record.ts";
import type { Store } from "../image/store/store.ts";
import { print } from "./output.ts";

/**
 * Does it to each, one by one, whatever becomes of the others; prints the names of those it was done to, or as JSON also their ids.
 * @param absentIsFine whether a container that is not there is no error
 * @throws {Error} for the first that failed; the others' errors are in its message, too
 */
export async function eachContainer(
  store: Store,
  names: readonly string[],
  act: (container: Container) => Promise<void>,
  { absentIsFine = false, format = "text" }: { absentIsFine?: boolean; format?: "text" | "json" } = {},
): Promise<number> {
  const { findContainer } = await import("../image/containers/record.ts");
  const { NoSuchContainerError } = await import("../image/containers/names.ts");
  const errors: string[] = [];
  const done: { id: string; name: string }[] = [];
  for (const name of names) {
    try {
      const container = findContainer(store, name);
      await act(container);
      done.push({ id: container.id, name: container.name });
      if (format === "text") print(name);
    } catch (error) {
      if (!absentIsFine || !(error instanceof NoSuchContainerError)) errors.push((error as Error).message);
    }
  }
  if (format === "json") print(JSON.stringify(done));
  if (errors.length > 0) throw new Error(errors.join("; "));
  return 0;
}
