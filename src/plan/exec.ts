/** The plan of another process in a running container: it is in the container's namespaces and sees its root. */
import { planAffinity } from "./affinity.ts";
import { type HostProcessStep, planHostProcess } from "./host-process.ts";
import { type IntelRdtPlan, planIntelRdt } from "./intel-rdt.ts";
import { describeLifecycle, type LifecycleStep } from "./lifecycle.ts";
import { describeNamespaces, type NamespaceStep, planUserNamespace } from "./namespaces.ts";
import { effectiveProcess, type ProcessInput, type ProcessStep, planProcess, planSession } from "./process.ts";
import { describeProcess } from "./process-words.ts";
import { describeSeccomp, planSeccomp, type SeccompStep } from "./seccomp.ts";
import { describeBy } from "./step.ts";
import { describeTerminal, planTerminal, type TerminalStep } from "./terminal.ts";

/** A step of the forked process. */
export type ExecStep = NamespaceStep | LifecycleStep | ProcessStep | SeccompStep | TerminalStep;

/** What happens, and in whose hands: see `Plan`. */
export interface ExecPlan {
  /** By the parent, on the forked process, while that waits. */
  host: HostProcessStep[];
  intelRdt: IntelRdtPlan | null;
  init: ExecStep[];
}

/** Plans another process. Pure. */
export function planExec(input: Omit<ProcessInput, "purpose">): ExecPlan {
  const exec: ProcessInput = { ...input, purpose: "exec" };
  const { attributes, identity, last } = planProcess(exec);
  const host = planHostProcess(exec);
  const { initial, own } = planAffinity(exec);
  // An initial affinity is for the time before the cgroup, to which the parent moves the process then.
  const enters: LifecycleStep[] = initial.length > 0 ? [] : [{ kind: "enter-cgroups" }];
  const waits: LifecycleStep[] = host.length > 0 ? [{ kind: "wait-for-parent" }] : [];
  const seccomp = planSeccomp(input.spec, effectiveProcess(exec));
  return {
    host,
    intelRdt: planIntelRdt(input.spec.linux?.intelRdt, input.id),
    init: [
      ...enters,
      ...waits,
      ...own,
      ...planUserNamespace(input.spec.linux ?? {}, input.process.user, false),
      { kind: "die-with-parent" },
      ...planSession(exec),
      ...planTerminal(input.process, false),
      ...attributes,
      ...seccomp.early,
      ...identity,
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
