/** What is collected with the contents: each part of the store that keeps something of its own adds the function that clears it. */
import { collectSnapshots } from "./snapshot/collect.ts";
import type { Collector } from "./store/collect.ts";

export const collectors: readonly Collector[] = [collectSnapshots];
