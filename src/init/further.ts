/** What a further process of a container can do. It need not know how mounts are made, which takes time to load. */
import { describeFurtherStep, type FurtherStep } from "../plan/further.ts";
import type { Repertoire } from "./init.ts";
import { lifecycleActors } from "./lifecycle.ts";
import { namespaceActors } from "./namespaces.ts";
import { processActors } from "./process.ts";
import { terminalActors } from "./terminal.ts";

export const furtherRepertoire: Repertoire<FurtherStep> = {
  actors: { ...lifecycleActors, ...namespaceActors, ...processActors, ...terminalActors },
  describe: describeFurtherStep,
};
