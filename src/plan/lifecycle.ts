/** The points at which the init waits for the parent, and the hooks that it runs itself. */
import type { Hook, State } from "../config/types.ts";
import type { Describers, StepBase } from "./step.ts";

export type LifecycleStep =
  /** The parent writes the id maps, and makes and limits the cgroups; the process then enters those of v1. */
  | (StepBase & { kind: "wait-for-parent" })
  /** Those of v1, where there is nothing to wait for. */
  | (StepBase & { kind: "enter-cgroups" })
  /** Until the container is created, nobody else could clear the process away. After the change of user, which undoes it. */
  | (StepBase & { kind: "die-with-parent" })
  /** The parent runs the hooks of the runtime's namespaces. */
  | (StepBase & { kind: "parent-hooks" })
  /** Hooks in the container's namespaces. */
  | (StepBase & { kind: "container-hooks"; hook: "createContainer" | "startContainer"; hooks: Hook[]; state: State })
  /** All that needs calls which a filter of system calls may not allow, before it is loaded: behind it come reads and writes. */
  | (StepBase & { kind: "stand-ready"; passed: number })
  | (StepBase & { kind: "report-ready" })
  | (StepBase & { kind: "wait-for-start" });

export const describeLifecycle: Describers<LifecycleStep> = {
  "wait-for-parent": () => "wait for the parent, and enter the cgroups",
  "enter-cgroups": () => "enter the cgroups",
  "die-with-parent": () => "die with the parent from here on",
  "parent-hooks": () => "wait for the parent's hooks",
  "container-hooks": ({ hook, hooks }) => `run the ${hook} hooks: ${hooks.map(({ path }) => path).join(", ")}`,
  "stand-ready": () => "close what is not the process's, and outlive the parent as soon as it says so",
  "report-ready": () => "report that the container is created",
  "wait-for-start": () => "wait for `start`",
};
