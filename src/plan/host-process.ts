/** What the parent does to the forked process from outside, where the rights to do so are. */
import { parseCpuList } from "../config/cpu-list.ts";
import type { Integer64 } from "../config/types.ts";
import { effectiveProcess, type ProcessInput } from "./process.ts";
import type { Describers, StepBase } from "./step.ts";

export type HostProcessStep =
  | (StepBase & { kind: "oom-score-adj"; value: number })
  /** Raises the hard limit where it must rise; the process itself sets the limit right before its exec. */
  | (StepBase & { kind: "allow-limit"; type: string; soft: Integer64; hard: Integer64 })
  | (StepBase & { kind: "set-affinity"; when: "initial" | "final"; cpus: number[] })
  | (StepBase & { kind: "reset-affinity" });

/** What {@link planHostProcess} gives. */
export interface HostProcessPlan {
  /** Before the process joins its cgroup. */
  beforeCgroup: HostProcessStep[];
  /** Side by side with the process. */
  beside: HostProcessStep[];
  /** After it has joined its cgroup, which on kernels before 6.2 sets the affinity, too. */
  afterCgroup: HostProcessStep[];
}

/**
 * Plans what the parent does on the child's pid.
 *
 * Resource limits are only allowed here: an engine of JavaScript under `RLIMIT_AS` or `RLIMIT_NOFILE` of the user's
 * choosing would not get as far as the exec. Raising a hard limit needs `CAP_SYS_RESOURCE` in the initial user
 * namespace, which the child may lack; lowering needs nothing.
 * @throws {Error} `bad CPUAffinity…` for a list of CPUs that is none
 */
export function planHostProcess(input: ProcessInput): HostProcessPlan {
  const { oomScoreAdj, rlimits = [] } = effectiveProcess(input);
  const beforeCgroup: HostProcessStep[] = [];
  if (oomScoreAdj !== undefined) {
    beforeCgroup.push({ kind: "oom-score-adj", pointer: "/process/oomScoreAdj", value: oomScoreAdj });
  }
  rlimits.forEach(({ type, soft, hard }, index) => {
    beforeCgroup.push({ kind: "allow-limit", pointer: `/process/rlimits/${index}`, type, soft, hard });
  });
  const { initial, final } = affinity(input);
  const pointer = "/process/execCPUAffinity";
  if (initial !== null)
    beforeCgroup.push({ kind: "set-affinity", pointer: `${pointer}/initial`, when: "initial", cpus: initial });
  if (final !== null) {
    const set: HostProcessStep = { kind: "set-affinity", pointer: `${pointer}/final`, when: "final", cpus: final };
    return { beforeCgroup, beside: [], afterCgroup: [set] };
  }
  // The caller's own affinity is none of the container's business; its cpuset still holds.
  return { beforeCgroup, beside: initial === null ? [{ kind: "reset-affinity" }] : [], afterCgroup: [] };
}

function affinity(input: ProcessInput): { initial: number[] | null; final: number[] | null } {
  const { initial = "", final = "" } = (input.purpose === "exec" && effectiveProcess(input).execCPUAffinity) || {};
  const parse = (name: string, text: string): number[] | null => {
    try {
      return parseCpuList(text);
    } catch (error) {
      throw new Error(`bad CPUAffinity.${name}: ${(error as Error).message}`);
    }
  };
  return { initial: parse("Initial", initial), final: parse("Final", final) };
}

function cpuMask(cpus: readonly number[]): bigint {
  return cpus.reduce((mask, cpu) => mask | (1n << BigInt(cpu)), 0n);
}

export const describeHostProcess: Describers<HostProcessStep> = {
  "oom-score-adj": ({ value }) => `set the process's oom_score_adj to ${value}`,
  "allow-limit": ({ type, soft, hard }) => `allow the process the limit ${type} ${soft}:${hard}`,
  "set-affinity": ({ when, cpus }) =>
    `set the process's ${when} CPU affinity to ${cpus.join(",")} (affinity: 0x${cpuMask(cpus).toString(16)})`,
  "reset-affinity": () => "let the process run on every CPU of its cpuset",
};
