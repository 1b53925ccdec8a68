/** What a container's init can do. */
import { describeStep, type InitStep } from "../plan/plan.ts";
import type { Repertoire } from "./init.ts";
import { lifecycleActors } from "./lifecycle.ts";
import { namespaceActors } from "./namespaces.ts";
import { networkActors } from "./network.ts";
import { processActors } from "./process.ts";
import { rootfsActors } from "./rootfs.ts";
import { terminalActors } from "./terminal.ts";

export const containerRepertoire: Repertoire<InitStep> = {
  actors: {
    ...lifecycleActors,
    ...namespaceActors,
    ...networkActors,
    ...rootfsActors,
    ...processActors,
    ...terminalActors,
  },
  describe: describeStep,
};
