/** What `RUN --mount=type=bind` and `from=` bring, for the cache. */
import type { RunMount, RunStep } from "../plan/steps.ts";
import { digestOfFiles, selectFiles } from "./selection.ts";
import type { Sources } from "./sources.ts";

/** What binds bring counts for the cache, as with COPY; secrets and caches do not. */
export async function digestOfBinds({ mounts }: RunStep, sources: Sources): Promise<string[]> {
  const digests: string[] = [];
  for (const one of mounts) {
    if (one.type !== "bind") continue;
    const identity = await sources.identity(one.from);
    if (identity !== null) {
      digests.push(identity);
      continue;
    }
    using source = await sources.open(one.from);
    digests.push(digestOfFiles(source.tree, selectFiles(asCopy(one.source, one), source.tree)));
  }
  return digests;
}

/** What is selected of a source, as COPY would. */
export function asCopy(source: string, { at }: RunMount): Parameters<typeof selectFiles>[0] {
  return { exclude: [], parents: false, sources: [{ text: source, at }] };
}
