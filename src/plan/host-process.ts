/** What the parent does to the forked process from outside, where the rights to do so are. */
import type { Integer64 } from "../config/types.ts";
import { describeAffinity, planAffinity, type SetAffinityStep } from "./affinity.ts";
import { effectiveProcess, type ProcessInput } from "./process.ts";
import type { Describers, StepBase } from "./step.ts";

export type HostProcessStep =
  | SetAffinityStep
  | (StepBase & { kind: "oom-score-adj"; value: number })
  /** Raises the hard limit where it must rise; the process itself sets the limit right before its exec. */
  | (StepBase & { kind: "allow-limit"; type: string; soft: Integer64; hard: Integer64 });

/**
 * Plans what the parent does on the child's pid, while the child waits: once that has become another user, or is in another user
 * namespace, the parent may have no right to do it any more.
 *
 * Resource limits are only allowed here: an engine of JavaScript under `RLIMIT_AS` or `RLIMIT_NOFILE` of the user's
 * choosing would not get as far as the exec. Raising a hard limit needs `CAP_SYS_RESOURCE` in the initial user
 * namespace, which the child may lack; lowering needs nothing.
 * @throws {Error} `bad CPUAffinity…` for a list of CPUs that is none
 */
export function planHostProcess(input: ProcessInput): HostProcessStep[] {
  const { oomScoreAdj, rlimits = [] } = effectiveProcess(input);
  const steps: HostProcessStep[] = [];
  // Another process inherits it: see `fork-into`.
  if (oomScoreAdj !== undefined && input.purpose === "init") {
    steps.push({ kind: "oom-score-adj", pointer: "/process/oomScoreAdj", value: oomScoreAdj });
  }
  rlimits.forEach(({ type, soft, hard }, index) => {
    steps.push({ kind: "allow-limit", pointer: `/process/rlimits/${index}`, type, soft, hard });
  });
  return [...steps, ...planAffinity(input).initial];
}

export const describeHostProcess: Describers<HostProcessStep> = {
  "oom-score-adj": ({ value }) => `set the process's oom_score_adj to ${value}`,
  "allow-limit": ({ type, soft, hard }) => `allow the process the limit ${type} ${soft}:${hard}`,
  "set-affinity": describeAffinity["set-affinity"],
};
