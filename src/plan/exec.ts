/** The plan of another process in a running container: it is in the container's namespaces and sees its root. */
import { planAffinity } from "./affinity.ts";
import { planHostProcess } from "./host-process.ts";
import { type IntelRdtPlan, planIntelRdt } from "./intel-rdt.ts";
import { describeLifecycle, type LifecycleStep } from "./lifecycle.ts";
import { describeNamespaces, type NamespaceStep, planUserNamespace } from "./namespaces.ts";
import { type Connections, describeParent, type ParentStep, planReports } from "./parent.ts";
import { effectiveProcess, type ProcessInput, type ProcessStep, planProcess, planSession } from "./process.ts";
import { describeProcess } from "./process-words.ts";
import { describeSeccomp, planSeccomp, type SeccompStep } from "./seccomp.ts";
import { type Describers, describeBy, type StepBase } from "./step.ts";
import { describeTerminal, planTerminal, type TerminalStep } from "./terminal.ts";

/** A step of the forked process. */
export type ExecStep = NamespaceStep | LifecycleStep | ProcessStep | SeccompStep | TerminalStep;

/** A step of its parent. */
export type ExecParentStep =
  | ParentStep
  /** The process inherits the score: once it is there nobody but root may change it, as it cannot be traced. */
  | (StepBase & { kind: "fork-into"; oomScoreAdj: number | null })
  /** For a process that does not enter by itself, as something has to come before. */
  | (StepBase & { kind: "move-to-cgroups" })
  | (StepBase & { kind: "join-class-of-service"; plan: IntelRdtPlan });

/** What happens, and in whose hands: see `Plan`. */
export interface ExecPlan {
  parent: ExecParentStep[];
  init: ExecStep[];
}

/** Plans another process. Pure. */
export function planExec(input: Omit<ProcessInput, "purpose"> & Connections): ExecPlan {
  const exec: ProcessInput = { ...input, purpose: "exec" };
  const { attributes, identity, last } = planProcess(exec);
  const host = planHostProcess(exec);
  const { initial, own } = planAffinity(exec);
  // An initial affinity is for the time before the cgroup, to which the parent moves the process then.
  const enters = initial.length === 0;
  const waits = host.length > 0;
  const process = effectiveProcess(exec);
  const seccomp = planSeccomp(input.spec, process);
  const intelRdt = planIntelRdt(input.spec.linux?.intelRdt, input.id);
  const listens = [...seccomp.early, ...seccomp.late].some(
    (step) => step.kind === "load-seccomp-filter" && step.listens,
  );
  const reports = planReports(input);
  const asks = input.process.terminal || listens || input.pidfdSockets.length > 0;
  return {
    parent: [
      { kind: "fork-into", oomScoreAdj: process.oomScoreAdj ?? null },
      ...host,
      ...(enters ? [] : [{ kind: "move-to-cgroups" } as const]),
      ...(intelRdt === null ? [] : [{ kind: "join-class-of-service", plan: intelRdt } as const]),
      ...(waits ? [{ kind: "admit" } as const] : []),
      // Nothing is left to be done for it, but what may as well be done while it runs.
      ...(asks ? [] : [{ kind: "allow" } as const]),
      { kind: "answer", until: "ready" },
      ...reports,
      { kind: "let-go" },
    ],
    init: [
      ...(enters ? [{ kind: "enter-cgroups" } as const] : []),
      ...(waits ? [{ kind: "wait-for-parent" } as const] : []),
      ...own,
      ...planUserNamespace(input.spec.linux ?? {}, input.process.user, false),
      { kind: "die-with-parent" },
      ...planSession(exec),
      ...planTerminal(input.process, false),
      ...attributes,
      ...seccomp.early,
      ...identity,
      ...seccomp.taken,
      { kind: "stand-ready", passed: input.passedFds },
      ...seccomp.late,
      { kind: "report-ready" },
      ...last,
    ],
  };
}

/** Says a step in words. */
export function describeExecStep(step: ExecStep): string {
  return describeBy([describeLifecycle, describeNamespaces, describeProcess, describeSeccomp, describeTerminal], step);
}

export const describeExecParent: Describers<ExecParentStep> = {
  ...describeParent,
  "fork-into": ({ oomScoreAdj }) =>
    `fork a process into the container${oomScoreAdj === null ? "" : `, with the oom_score_adj ${oomScoreAdj}`}`,
  "move-to-cgroups": () => "move the process to the cgroups",
  "join-class-of-service": ({ plan }) => `put the process in the class of service ${plan.group}`,
};
