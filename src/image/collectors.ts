/** What is collected with the contents: each part of the store that keeps something of its own adds the function that clears it. */
import { collectBuildCache } from "./build/collect.ts";
import { endKilledBuilds } from "./build/killed.ts";
import { collectSnapshots } from "./snapshot/collect.ts";
import type { Collector } from "./store/collect.ts";

/** With the removal of images: what builds keep stays. */
export const collectors: readonly Collector[] = [collectSnapshots];

/** With a pruning. @param cacheLimit bytes that may stay of what builds keep for the next ones, beside layers */
export function collectorsOf(cacheLimit: number): readonly Collector[] {
  return [endKilledBuilds, collectSnapshots, collectBuildCache(cacheLimit)];
}
