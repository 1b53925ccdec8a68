/** All workloads, in the order of the table. */
import type { Workload } from "../workload.ts";
import { EXEC } from "./exec.ts";
import { LIFE } from "./life.ts";
import { PROCESS } from "./process.ts";
import { RESOURCES } from "./resources.ts";

export const WORKLOADS: readonly Workload[] = [...PROCESS, ...EXEC, ...LIFE, ...RESOURCES];
