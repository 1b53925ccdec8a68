/** The parent's side of a container's creation, in order. Why each step is where it is: docs/architecture.md, "Making it". */
import { hookFiles } from "../config/annotations.ts";
import type { Hook, Spec } from "../config/types.ts";
import type { CgroupLocation } from "./cgroups.ts";
import { type DelegationStep, planDelegation } from "./delegation.ts";
import { planHostProcess } from "./host-process.ts";
import { type IntelRdtPlan, planIntelRdt } from "./intel-rdt.ts";
import type { SourceStep } from "./mount-steps.ts";
import { describeMounts } from "./mount-words.ts";
import type { NamespacePlan } from "./namespaces.ts";
import { describeNetwork, type NetDeviceStep } from "./network.ts";
import { type Connections, describeParent, type ParentStep, planReports } from "./parent.ts";
import type { ProcessInput } from "./process.ts";
import type { Describers, OfKind, StepBase } from "./step.ts";

export type ParentContainerStep =
  | ParentStep
  | OfKind<SourceStep, "id-mapping">
  | NetDeviceStep
  | (StepBase & { kind: "find-class-of-service"; plan: IntelRdtPlan })
  /** So that `delete` finds what is about to be made, whatever kills this process. */
  | (StepBase & { kind: "write-state" })
  | (StepBase & { kind: "make-start-fifo" })
  | (StepBase & { kind: "make-notify-directory" })
  | (StepBase & { kind: "make-cgroups"; version: 1 | 2; directories: string[] })
  | DelegationStep
  | (StepBase & { kind: "open-hook-output"; paths: string[] })
  | (StepBase & { kind: "fork-init"; namespaces: NamespacePlan })
  | (StepBase & { kind: "write-id-maps"; maps: NonNullable<NamespacePlan["idMaps"]> })
  | (StepBase & { kind: "warn-of-strays" })
  | (StepBase & { kind: "restrict-devices" })
  | (StepBase & { kind: "make-class-of-service"; plan: IntelRdtPlan })
  | (StepBase & { kind: "keep-config" })
  | (StepBase & { kind: "note-init" })
  /** Written beside the init's own work, and seen by others when that is done. */
  | (StepBase & { kind: "prepare-complete" })
  | (StepBase & { kind: "limit-resources" })
  | (StepBase & { kind: "run-hooks"; hook: "prestart" | "createRuntime"; hooks: Hook[] })
  /** Ends the init's `parent-hooks`. */
  | (StepBase & { kind: "hooks-done" })
  | (StepBase & { kind: "complete" });

/** What planning the parent's side takes. */
export interface ParentInput extends Connections {
  init: ProcessInput;
  /** Absolute path. */
  bundle: string;
  cgroup: CgroupLocation;
  namespaces: NamespacePlan;
  sources: readonly SourceStep[];
  netDevices: readonly NetDeviceStep[];
  /** Whether the container is to tell the service manager that it is ready. */
  notifies: boolean;
}

/** Plans the parent's side. Pure. */
export function planParent(input: ParentInput): ParentContainerStep[] {
  const { init, namespaces, cgroup } = input;
  const { spec, host } = init;
  const intelRdt = planIntelRdt(spec.linux?.intelRdt, init.id);
  const classOfService = (kind: "find-class-of-service" | "make-class-of-service"): ParentContainerStep[] =>
    intelRdt === null ? [] : [{ kind, pointer: "/linux/intelRdt", plan: intelRdt }];
  return [
    ...classOfService("find-class-of-service"),
    { kind: "write-state" },
    { kind: "make-start-fifo" },
    ...(input.notifies ? [{ kind: "make-notify-directory" } as const] : []),
    ...makeCgroups(cgroup, 2),
    ...planDelegation(spec, cgroup),
    ...openHookOutput(spec, input.bundle),
    ...input.sources.filter((step) => step.kind === "id-mapping"),
    { kind: "fork-init", pointer: "/linux/namespaces", namespaces },
    ...(namespaces.idMaps === null
      ? []
      : [{ kind: "write-id-maps", pointer: "/linux/uidMappings", maps: namespaces.idMaps } as const]),
    ...makeCgroups(cgroup, 1),
    ...(cgroup.driver === "disabled" || namespaces.clone.includes("pid") ? [] : [{ kind: "warn-of-strays" } as const]),
    ...planHostProcess(init),
    ...input.netDevices,
    // Every set of rules lets the init make devices, and open those that it needs itself. But on cgroup v1 there is a moment, between the
    // first rule and the last, in which nothing is allowed: so it must not have entered.
    ...(host.inUserNamespace ? [] : [{ kind: "restrict-devices", pointer: "/linux/resources/devices" } as const]),
    { kind: "admit" },
    // Side by side with the init: root may do it whoever the init is by now.
    ...classOfService("make-class-of-service"),
    { kind: "keep-config" },
    { kind: "note-init" },
    ...beside(spec),
    ...planReports(input),
    { kind: "complete" },
    { kind: "let-go" },
  ];
}

/** A step for all hierarchies of a version: those of v2 come before the fork, for the init is born in its cgroup. */
function makeCgroups(cgroup: CgroupLocation, version: 1 | 2): ParentContainerStep[] {
  const found = cgroup.hierarchies.filter((hierarchy) => hierarchy.version === version);
  // What systemd makes is made before the fork, too.
  if (found.length === 0 && !(cgroup.driver === "systemd" && version === 2)) return [];
  const directories = found.map(({ directory }) => directory);
  return [{ kind: "make-cgroups", pointer: "/linux/cgroupsPath", version, directories }];
}

function openHookOutput(spec: Spec, bundle: string): ParentContainerStep[] {
  const { stdout, stderr } = hookFiles(spec, bundle);
  const paths = [stdout, stderr].filter((path) => path !== undefined);
  if (spec.hooks === undefined || paths.length === 0) return [];
  return [{ kind: "open-hook-output", pointer: "/annotations", paths }];
}

/**
 * While the init sets itself up. The limits come after most of its work, so that a tight one fails the container and not the runtime.
 * Hooks change what is said of the container, and are to find it `creating`.
 */
function beside({ hooks = {} }: Spec): ParentContainerStep[] {
  const limit: ParentContainerStep = { kind: "limit-resources", pointer: "/linux/resources" };
  const kinds = (["prestart", "createRuntime"] as const).filter((hook) => (hooks[hook]?.length ?? 0) > 0);
  if (kinds.length === 0) return [{ kind: "prepare-complete" }, { kind: "answer", until: "ready" }, limit];
  return [
    { kind: "answer", until: "hooks" },
    limit,
    { kind: "write-state" },
    ...kinds.map(
      (hook): ParentContainerStep => ({ kind: "run-hooks", pointer: `/hooks/${hook}`, hook, hooks: hooks[hook] ?? [] }),
    ),
    { kind: "hooks-done" },
    { kind: "answer", until: "ready" },
    { kind: "prepare-complete" },
  ];
}

export const describeParentContainer: Describers<ParentContainerStep> = {
  ...describeParent,
  "id-mapping": describeMounts["id-mapping"],
  "move-net-device": describeNetwork["move-net-device"],
  "find-class-of-service": ({ plan }) => `find the class of service ${plan.group}`,
  "write-state": () => "write state.json",
  "make-start-fifo": () => "make the fifo that `start` writes to",
  "make-notify-directory": () => "make the directory of the container's NOTIFY_SOCKET",
  "make-cgroups": ({ version, directories }) =>
    directories.length === 0
      ? "have systemd make the cgroups"
      : `make the cgroups (v${version}) ${directories.join(", ")}`,
  "delegate-cgroup": ({ directory, uid }) => `make user ${uid} the owner of ${directory}`,
  "open-hook-output": ({ paths }) => `open ${paths.join(", ")} for the output of hooks`,
  "fork-init": ({ namespaces: { clone, join } }) =>
    [
      "fork the init",
      ...(clone.length === 0 ? [] : [`into new namespaces: ${clone.join(", ")}`]),
      ...join.map(({ type, path }) => `into the ${type} namespace ${path}`),
    ].join(" "),
  "write-id-maps": () => "write the id maps",
  "warn-of-strays": () => "warn, should there be no cgroup to tell which processes are the container's",
  "restrict-devices": () => "restrict the devices of the cgroups",
  "make-class-of-service": ({ plan }) => `make the class of service ${plan.group}, and put the init in it`,
  "keep-config": () => "keep config.json",
  "note-init": () => "note which process the init is",
  "prepare-complete": () => "write, to be put in its place later, the state.json of a complete container",
  "limit-resources": () => "set the limits of the cgroups",
  "run-hooks": ({ hook, hooks }) => `run the ${hook} hooks: ${hooks.map(({ path }) => path).join(", ")}`,
  "hooks-done": () => "let the init go on after the hooks",
  complete: () => "put that state.json in its place: the container is created",
};
