/** The CPUs that a process may run on, besides what its cgroup says. */
import { parseCpuList } from "../config/cpu-list.ts";
import { effectiveProcess, type ProcessInput } from "./process.ts";
import type { Describers, StepBase } from "./step.ts";

export type SetAffinityStep = StepBase & { kind: "set-affinity"; when: "initial" | "final"; cpus: number[] };

export type AffinityStep = SetAffinityStep | (StepBase & { kind: "reset-affinity" });

/** What {@link planAffinity} gives. */
export interface AffinityPlan {
  /** Set from outside, before the process joins its cgroup. */
  initial: SetAffinityStep[];
  /**
   * Set by the process itself, who needs no right to, as soon as it has joined its cgroup, which on kernels before 6.2 sets the
   * affinity, too.
   */
  own: AffinityStep[];
}

/** @throws {Error} `bad CPUAffinity…` for a list of CPUs that is none */
export function planAffinity(input: ProcessInput): AffinityPlan {
  const { initial = "", final = "" } = (input.purpose === "exec" && effectiveProcess(input).execCPUAffinity) || {};
  const first = step("initial", initial);
  const last = step("final", final);
  if (first.length + last.length > 0) return { initial: first, own: last };
  // The caller's own affinity is none of the container's business; its cpuset still holds.
  return { initial: [], own: [{ kind: "reset-affinity" }] };
}

function step(when: "initial" | "final", text: string): SetAffinityStep[] {
  try {
    const cpus = parseCpuList(text);
    return cpus === null ? [] : [{ kind: "set-affinity", pointer: `/process/execCPUAffinity/${when}`, when, cpus }];
  } catch (error) {
    throw new Error(`bad CPUAffinity.${when === "initial" ? "Initial" : "Final"}: ${(error as Error).message}`);
  }
}

function cpuMask(cpus: readonly number[]): bigint {
  return cpus.reduce((mask, cpu) => mask | (1n << BigInt(cpu)), 0n);
}

export const describeAffinity: Describers<AffinityStep> = {
  "set-affinity": ({ when, cpus }) =>
    `set the process's ${when} CPUs to ${cpus.join(",")}: affinity: 0x${cpuMask(cpus).toString(16)}`,
  "reset-affinity": () => "let the process run on every CPU of its cpuset",
};
