/** All workloads, in the order of the table. */
import type { Workload } from "../workload.ts";
import { BUILDS } from "./builds.ts";
import { CRI_WORKLOADS } from "./cri.ts";
import { EXAMPLES } from "./examples.ts";
import { EXEC } from "./exec.ts";
import { ISOLATION } from "./isolation.ts";
import { LIFE } from "./life.ts";
import { NETWORK } from "./network.ts";
import { ORCHESTRATED } from "./orchestrated.ts";
import { PODS } from "./pods.ts";
import { PROCESS } from "./process.ts";
import { RESOURCES } from "./resources.ts";
import { STORAGE } from "./storage.ts";

export const WORKLOADS: readonly Workload[] = [
  ...EXAMPLES,
  ...PROCESS,
  ...EXEC,
  ...LIFE,
  ...RESOURCES,
  ...ISOLATION,
  ...STORAGE,
  ...NETWORK,
  ...PODS,
  ...BUILDS,
  ...ORCHESTRATED,
  ...CRI_WORKLOADS,
];
