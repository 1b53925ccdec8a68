/** The whole plan of a container's creation: the domains' plans in the order in which they must happen. */

import type { Linux, NamespaceType, Spec, State } from "../config/types.ts";
import { planAffinity } from "./affinity.ts";
import type { CgroupLocation } from "./cgroups.ts";
import { describeLifecycle, type LifecycleStep } from "./lifecycle.ts";
import { describeNamespaces, type NamespacePlan, type NamespaceStep, planNamespaces } from "./namespaces.ts";
import { describeNetwork, type NetworkStep, planNetwork } from "./network.ts";
import type { Connections } from "./parent.ts";
import { type ParentContainerStep, planParent } from "./parent-container.ts";
import {
  type ProcessInput,
  type ProcessStep,
  planProcess,
  planSession,
  planSystem,
  planWorkingDirectory,
} from "./process.ts";
import { describeProcess } from "./process-words.ts";
import { describeRootfs, planRootfs, type RootfsStep, type SourceStep } from "./rootfs.ts";
import { describeSeccomp, planSeccomp, type SeccompStep } from "./seccomp.ts";
import { describeBy } from "./step.ts";
import { describeTerminal, planTerminal, type TerminalStep } from "./terminal.ts";

/** A step of the init, of whichever domain. */
export type InitStep =
  | NamespaceStep
  | LifecycleStep
  | NetworkStep
  | RootfsStep
  | ProcessStep
  | SeccompStep
  | TerminalStep;

/** What happens, and in whose hands. */
export interface Plan {
  /** By the parent, in order. */
  parent: ParentContainerStep[];
  /** By the parent, when the init asks for one by its name. */
  sources: SourceStep[];
  /** By the init, in order; the last one is `execve`. */
  init: InitStep[];
}

/** What planning a container takes. */
export interface PlanInput extends Omit<ProcessInput, "purpose">, Connections {
  /** Absolute paths. */
  bundle: string;
  rootfs: string;
  /** Where the container's cgroups are. */
  cgroup: CgroupLocation;
  noPivot: boolean;
  /** Whether the container is to tell the service manager that it is ready. */
  notifies: boolean;
  /** The state for the hooks that the init runs, but for the pid. */
  state: State;
}

/** Plans the creation of a container. Pure. */
export function planContainer(input: PlanInput): Plan {
  const { spec, process, host, cgroup } = input;
  const linux = spec.linux ?? {};
  const init: ProcessInput = { ...input, purpose: "init" };
  const namespaces = planNamespaces(linux, process.user, host.euid);
  const rootfs = planRootfs({
    spec,
    bundle: input.bundle,
    rootfsPath: input.rootfs,
    host,
    noPivot: input.noPivot,
    userNamespace: hasNamespace(linux, "user"),
    cgroups: cgroup.hierarchies,
  });
  const network = planNetwork(linux);
  const { attributes, identity, last } = planProcess(init);
  const seccomp = planSeccomp(spec, process);
  const hooks = [
    ...parentHooks(spec),
    ...containerHooks(spec, "createContainer", { ...input.state, status: "creating" }),
  ];
  const shown = rootfs.beforeHooks.findIndex((step) => needsCgroup(step, spec));
  const independent = shown < 0 ? [] : rootfs.beforeHooks.slice(0, shown);
  const admission = admissionPoint(linux, namespaces, shown, hooks);
  const waitAt = (point: AdmissionPoint): InitStep[] =>
    point === admission ? [{ kind: "wait-for-parent" }, ...namespaces.inCgroups] : [];
  const steps: InitStep[] = [
    ...waitAt("at first"),
    ...namespaces.steps,
    { kind: "die-with-parent" },
    ...planSession(init),
    ...network.init,
    ...independent,
    ...waitAt("before it shows"),
    ...rootfs.beforeHooks.slice(independent.length),
    ...waitAt("before hooks"),
    ...hooks,
    ...rootfs.afterHooks,
    ...planWorkingDirectory(init),
    ...planTerminal(process, hasNamespace(linux, "mount")),
    ...planSystem(init),
    ...rootfs.final,
    ...waitAt("before the user"),
    ...planAffinity(init).own,
    ...attributes,
    ...seccomp.early,
    ...identity,
    ...seccomp.taken,
    { kind: "stand-ready", passed: input.passedFds },
    ...seccomp.late,
    { kind: "report-ready" },
    { kind: "wait-for-start" },
    ...containerHooks(spec, "startContainer", { ...input.state, status: "created" }),
    ...last,
  ];
  const { sources } = rootfs;
  return {
    parent: planParent({ ...input, init, namespaces, sources, netDevices: network.host }),
    sources,
    init: steps,
  };
}

/** When the init waits until the parent has written id maps, and made and limited its cgroups, and enters those. */
type AdmissionPoint = "at first" | "before it shows" | "before hooks" | "before the user";

/**
 * As late as can be: what the two do side by side takes two thirds of the time. But mounts that show the cgroup, contents of a
 * tmpfs that are charged to it, sysctls of network devices, and the rights in a user namespace all need the parent's work. And
 * mounts that are not in the container's own namespace would stay, should that fail.
 * @param shown index of the first step of the rootfs that needs the cgroup; -1 for none
 */
function admissionPoint(
  linux: Linux,
  { join }: NamespacePlan,
  shown: number,
  hooks: readonly InitStep[],
): AdmissionPoint {
  const mountsAlone = hasNamespace(linux, "mount") && join.length === 0;
  const getsDevices = Object.keys(linux.netDevices ?? {}).length > 0;
  if (!mountsAlone || getsDevices || hasNamespace(linux, "user")) return "at first";
  if (shown >= 0) return "before it shows";
  return hooks.length > 0 ? "before hooks" : "before the user";
}

/** Whether a step shows the container's cgroup, or is charged to it. */
function needsCgroup(step: RootfsStep, { mounts = [] }: Spec): boolean {
  if (step.kind !== "mount" && step.kind !== "bind") return false;
  if (step.kind === "mount" && (step.fstype.startsWith("cgroup") || step.inherit === "contents")) return true;
  // Without a cgroup namespace, v1 hierarchies are shown by binds, and in any case on a tmpfs of their own.
  const { type = "" } = mounts[step.entry ?? -1] ?? {};
  return type === "cgroup" || type === "cgroup2";
}

function hasNamespace(linux: Linux, type: NamespaceType): boolean {
  return (linux.namespaces ?? []).some((namespace) => namespace.type === type);
}

function parentHooks({ hooks }: Spec): LifecycleStep[] {
  const any = (hooks?.prestart?.length ?? 0) + (hooks?.createRuntime?.length ?? 0) > 0;
  return any ? [{ kind: "parent-hooks", pointer: "/hooks" }] : [];
}

function containerHooks(spec: Spec, hook: "createContainer" | "startContainer", state: State): LifecycleStep[] {
  const hooks = spec.hooks?.[hook] ?? [];
  return hooks.length > 0 ? [{ kind: "container-hooks", hook, hooks, state, pointer: `/hooks/${hook}` }] : [];
}

/** Says a step of the init's, or a source that it asks for, in words. */
export function describeStep(step: InitStep | SourceStep): string {
  return describeBy(describers, step);
}

const describers: object[] = [
  describeLifecycle,
  describeNamespaces,
  describeNetwork,
  describeRootfs,
  describeProcess,
  describeSeccomp,
  describeTerminal,
];
