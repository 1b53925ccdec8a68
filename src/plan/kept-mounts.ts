/**
 * Mounts that a later step changes. The later step gets the descriptor of the mount itself: the path could lead to another
 * by then, where a neighbour shares the volume that it goes through.
 */

import type { MountBase, MountPlan, MountStepOrLink } from "./mount-steps.ts";
import type { RootStep } from "./root.ts";
import type { OfKind } from "./step.ts";

/** Mounts in the order of their making, with what becomes of them in the end. */
export interface KeptMounts {
  steps: MountStepOrLink[];
  /** Makes mounts read-only once everything in them is made. */
  readonlyLater: OfKind<RootStep, "remount-readonly">[];
}

/** Puts the plans of all entries together, and marks which mounts are kept for later steps. */
export function keepMounts(plans: readonly Pick<MountPlan, "steps" | "readonlyLater">[]): KeptMounts {
  const kept: KeptMounts = { steps: [], readonlyLater: [] };
  for (const { steps, readonlyLater } of plans) {
    for (const step of steps) {
      if (!changes(step)) {
        kept.steps.push(step);
        continue;
      }
      const mounted = keepLast(kept.steps, step.target);
      kept.steps.push(mounted === null ? step : { ...step, mounted });
    }
    for (const path of readonlyLater) {
      const mounted = keepLast(kept.steps, path);
      kept.readonlyLater.push({ kind: "remount-readonly", pointer: "/mounts", path, mounted });
    }
  }
  return kept;
}

function changes(step: MountStepOrLink): step is Change {
  return step.kind === "change-mount" || (step.kind === "mount" && step.flags.includes("remount"));
}

type Change = Extract<MountStepOrLink, { kind: "change-mount" | "mount" }>;

/** Marks the last mount that was made on a target. @returns its number; `null` when no step has made it */
function keepLast(steps: MountStepOrLink[], target: string): number | null {
  const index = steps.findLastIndex(
    (step) => (step.kind === "bind" || (step.kind === "mount" && !changes(step))) && step.target === target,
  );
  if (index < 0) return null;
  (steps[index] as MountBase).keep = index;
  return index;
}
