/** How the forked init becomes the user's process. */
import { keepsOriginalGroups } from "../config/annotations.ts";
import { parseCpuList } from "../config/cpu-list.ts";
import type { Integer64, Process, Spec } from "../config/types.ts";
import type { AffinityStep } from "./affinity.ts";
import { type CapabilityStep, planCapabilities } from "./capabilities.ts";
import { planEnvironment } from "./environment.ts";
import type { HostFacts } from "./host.ts";
import type { StepBase } from "./step.ts";
import { planSysctls, type SysctlStep } from "./sysctl.ts";

/** What planning a process takes. */
export interface ProcessInput {
  /** The container's first process, or a further one. */
  purpose: "init" | "exec";
  /** The container's id. */
  id: string;
  process: Process;
  /** The container's configuration. */
  spec: Spec;
  host: HostFacts;
  /** Keep the caller's session keyring (`--no-new-keyring`). */
  noNewKeyring: boolean;
  /** How many descriptors from 3 on are the process's: those of `LISTEN_FDS`, then the preserved ones. */
  passedFds: number;
  /** How many of them `LISTEN_FDS` announces; 0 when the runtime itself was not given any. */
  listenFds: number;
  /** The soft limit of open files that the process inherits when the configuration says none; `null`: as it is. */
  softNofile: number | null;
}

export type ProcessStep =
  | AffinityStep
  | SysctlStep
  | CapabilityStep
  | (StepBase & { kind: "warn"; message: string })
  | (StepBase & { kind: "new-session" })
  | (StepBase & { kind: "join-keyring"; name: string; search: "user" | "other" | null })
  | (StepBase & { kind: "make-working-directory"; path: string })
  | (StepBase & { kind: "set-hostname"; name: string })
  | (StepBase & { kind: "set-domainname"; name: string })
  | (StepBase & { kind: "apparmor-profile"; profile: string; noNewPrivileges: boolean })
  /** Of the keyrings made from here on; the execve takes it back. */
  | (StepBase & { kind: "selinux-key-label"; label: string })
  | (StepBase & { kind: "selinux-label"; label: string })
  | (StepBase & { kind: "umask"; mask: number })
  | (StepBase & { kind: "no-new-privileges" })
  | (StepBase & {
      kind: "scheduler";
      /** Whether the cgroup binds the container to CPUs, which SCHED_DEADLINE does not get along with. */
      cpuset: boolean;
      policy: string;
      flags: string[];
      nice: number;
      priority: number;
      runtime: Integer64;
      deadline: Integer64;
      period: Integer64;
    })
  | (StepBase & { kind: "io-priority"; class: string; priority: number })
  | (StepBase & { kind: "personality"; domain: "LINUX" | "LINUX32" })
  | (StepBase & { kind: "memory-policy"; mode: string; flags: string[]; nodes: number[] })
  /** From here on the process holds nothing of the host's: others in the container may look into it while it waits. */
  | (StepBase & { kind: "keep-passed-descriptors"; passed: number })
  /** `retry`: only if the first attempt, as root, was not permitted. */
  | (StepBase & { kind: "change-directory"; path: string; retry: boolean })
  | (StepBase & { kind: "verify-directory" })
  | (StepBase & { kind: "set-environment"; variables: string[]; listenFds: number })
  | (StepBase & { kind: "set-home"; uid: number })
  | (StepBase & { kind: "keep-capabilities"; keep: boolean })
  | (StepBase & { kind: "own-stdio"; uid: number })
  | (StepBase & { kind: "set-groups"; gids: number[] })
  | (StepBase & { kind: "set-gid"; gid: number })
  | (StepBase & { kind: "set-uid"; uid: number })
  | (StepBase & { kind: "find-executable"; name: string; path: string | null })
  | (StepBase & { kind: "reset-signals" })
  | (StepBase & { kind: "close-descriptors"; passed: number })
  | (StepBase & { kind: "execute"; args: string[]; limits: Limit[] });

/** A resource limit as config.json gives it. */
export interface Limit {
  type: string;
  soft: Integer64;
  /** `null`: as it is. */
  hard: Integer64 | null;
}

/**
 * The process with what it takes over from the container: another process has what it does not say itself from the
 * container's own, except its arguments, environment, directory, terminal and user.
 */
export function effectiveProcess({
  purpose,
  process,
  spec,
}: Pick<ProcessInput, "purpose" | "process" | "spec">): Process {
  if (purpose === "init" || spec.process === undefined) return process;
  const container = spec.process;
  const merged: Process = { ...process };
  for (const name of [
    "capabilities",
    "noNewPrivileges",
    "oomScoreAdj",
    "ioPriority",
    "scheduler",
    "execCPUAffinity",
  ] as const) {
    if (merged[name] === undefined) Object.assign(merged, { [name]: container[name] });
  }
  if (!merged.apparmorProfile) merged.apparmorProfile = container.apparmorProfile;
  if (!merged.selinuxLabel) merged.selinuxLabel = container.selinuxLabel;
  if (!merged.rlimits?.length) merged.rlimits = container.rlimits;
  if (merged.user?.umask === undefined && container.user?.umask !== undefined) {
    merged.user = { uid: 0, gid: 0, ...merged.user, umask: container.user.umask };
  }
  return merged;
}

/** What comes first, outside the rootfs: the session and its keyring. */
export function planSession(input: ProcessInput): ProcessStep[] {
  const { purpose, id, spec, noNewKeyring } = input;
  const steps: ProcessStep[] = [{ kind: "new-session" }];
  if (noNewKeyring) return steps;
  const { selinuxLabel } = effectiveProcess(input);
  if (selinuxLabel) steps.push({ kind: "selinux-key-label", pointer: "/process/selinuxLabel", label: selinuxLabel });
  // Another process joins the keyring that the first one has made searchable. In a user namespace, the process that
  // searches is not the user that the keyring belongs to.
  const userNamespace = spec.linux?.namespaces?.some(({ type }) => type === "user") ?? false;
  const search = purpose === "exec" ? null : userNamespace ? "other" : "user";
  steps.push({ kind: "join-keyring", name: `_ses.${id}`, search });
  return steps;
}

/** Right after the pivot, while the root can be written: the first process's directory is made if there is none. */
export function planWorkingDirectory({ purpose, process }: ProcessInput): ProcessStep[] {
  if (purpose === "exec" || process.cwd === "") return [];
  return [{ kind: "make-working-directory", pointer: "/process/cwd", path: process.cwd }];
}

/** After the pivot, before paths are masked and made read-only: what belongs to the container, not to the process. */
export function planSystem({ purpose, spec }: ProcessInput): ProcessStep[] {
  if (purpose === "exec") return [];
  const steps: ProcessStep[] = [];
  const { hostname, domainname } = spec;
  if (hostname) steps.push({ kind: "set-hostname", pointer: "/hostname", name: hostname });
  if (domainname) steps.push({ kind: "set-domainname", pointer: "/domainname", name: domainname });
  return [...steps, ...planSysctls(spec.linux?.sysctl)];
}

/** What {@link planProcess} gives. */
export interface ProcessPlan {
  /** With the rootfs complete: attributes that need privileges. */
  attributes: ProcessStep[];
  /** The process becomes its user; at the end its executable is found. */
  identity: ProcessStep[];
  /** After `start`. */
  last: ProcessStep[];
}

/**
 * Plans the process.
 * @throws {Error} for an entry of `env` that is no variable, an argument with a NUL, a list of nodes that is none
 */
export function planProcess(input: ProcessInput): ProcessPlan {
  const process = effectiveProcess(input);
  const { args = [], cwd } = process;
  if (args.some((argument) => argument.includes("\0")))
    throw new Error("process.args: an argument contains a nul byte");
  const environment = planEnvironment(process.env ?? []);
  const uid = process.user?.uid ?? 0;
  const told = input.purpose === "exec" ? input.spec.process?.capabilities : {};
  const capabilities = planCapabilities(process.capabilities ?? {}, input.host.lastCapability, told);

  const identity: ProcessStep[] = [{ kind: "keep-passed-descriptors", passed: input.passedFds }];
  if (cwd) identity.push({ kind: "change-directory", pointer: "/process/cwd", path: cwd, retry: false });
  identity.push({
    kind: "set-environment",
    pointer: "/process/env",
    variables: environment.variables,
    listenFds: input.listenFds,
  });
  if (environment.homeMissing) identity.push({ kind: "set-home", pointer: "/process/env", uid });
  if (capabilities.warning) identity.push({ kind: "warn", message: capabilities.warning });
  identity.push(...capabilities.bounding);
  identity.push({ kind: "keep-capabilities", keep: true }, ...userSteps(process, input));
  if (cwd) identity.push({ kind: "change-directory", pointer: "/process/cwd", path: cwd, retry: true });
  identity.push({ kind: "verify-directory", pointer: "/process/cwd" }, { kind: "keep-capabilities", keep: false });
  identity.push(...capabilities.sets);
  identity.push({ kind: "find-executable", pointer: "/process/args/0", name: args[0] ?? "", path: environment.path });

  return { attributes: attributeSteps(input, process), identity, last: lastSteps(input, process) };
}

function attributeSteps({ purpose, spec }: ProcessInput, process: Process): ProcessStep[] {
  const { apparmorProfile, selinuxLabel, user, scheduler, ioPriority } = process;
  const steps: ProcessStep[] = [];
  if (apparmorProfile) {
    const noNewPrivileges = process.noNewPrivileges ?? false;
    const pointer = "/process/apparmorProfile";
    steps.push({ kind: "apparmor-profile", pointer, profile: apparmorProfile, noNewPrivileges });
  }
  if (selinuxLabel) steps.push({ kind: "selinux-label", pointer: "/process/selinuxLabel", label: selinuxLabel });
  const umask = user?.umask ?? (purpose === "init" ? 0o022 : undefined);
  if (umask !== undefined) steps.push({ kind: "umask", pointer: "/process/user/umask", mask: umask });
  if (process.noNewPrivileges) steps.push({ kind: "no-new-privileges", pointer: "/process/noNewPrivileges" });
  if (scheduler) {
    const { policy, flags = [], nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0 } = scheduler;
    const attributes = { policy, flags, nice, priority, runtime, deadline, period };
    const cpuset = Boolean(spec.linux?.resources?.cpu?.cpus);
    steps.push({ kind: "scheduler", pointer: "/process/scheduler", cpuset, ...attributes });
  }
  if (ioPriority) {
    const { class: ioClass, priority = 0 } = ioPriority;
    steps.push({ kind: "io-priority", pointer: "/process/ioPriority", class: ioClass, priority });
  }
  return [...steps, ...personalitySteps(spec), ...memoryPolicySteps(spec)];
}

function personalitySteps({ linux }: Spec): ProcessStep[] {
  const personality = linux?.personality;
  if (personality === undefined) return [];
  const pointer = "/linux/personality";
  const steps: ProcessStep[] = [{ kind: "personality", pointer, domain: personality.domain }];
  if (personality.flags?.length) {
    steps.unshift({
      kind: "warn",
      pointer,
      message: `ignoring unsupported personality flags: ${personality.flags.join(", ")}`,
    });
  }
  return steps;
}

function memoryPolicySteps({ linux }: Spec): ProcessStep[] {
  const policy = linux?.memoryPolicy;
  if (policy === undefined) return [];
  const { mode, flags = [], nodes = "" } = policy;
  return [{ kind: "memory-policy", pointer: "/linux/memoryPolicy", mode, flags, nodes: memoryNodes(nodes) }];
}

function memoryNodes(list: string): number[] {
  try {
    return parseCpuList(list) ?? [];
  } catch (error) {
    throw new Error(`invalid memory policy node: ${(error as Error).message}`);
  }
}

function userSteps({ user }: Process, { host, spec }: ProcessInput): ProcessStep[] {
  const { uid = 0, gid = 0, additionalGids = [] } = user ?? {};
  const pointer = "/process/user";
  const steps: ProcessStep[] = [{ kind: "own-stdio", pointer: `${pointer}/uid`, uid }];
  // An unprivileged runtime's user namespace denies setgroups(2).
  if (host.euid === 0 && !host.setgroupsDenied && !keepsOriginalGroups(spec)) {
    steps.push({ kind: "set-groups", pointer: `${pointer}/additionalGids`, gids: additionalGids });
  }
  steps.push({ kind: "set-gid", pointer: `${pointer}/gid`, gid }, { kind: "set-uid", pointer: `${pointer}/uid`, uid });
  return steps;
}

function lastSteps({ passedFds, softNofile }: ProcessInput, { args = [], rlimits = [] }: Process): ProcessStep[] {
  const limits: Limit[] = rlimits.map(({ type, soft, hard }) => ({ type, soft, hard }));
  if (softNofile !== null && !limits.some(({ type }) => type === "RLIMIT_NOFILE")) {
    limits.push({ type: "RLIMIT_NOFILE", soft: softNofile, hard: null });
  }
  return [
    { kind: "reset-signals" },
    { kind: "close-descriptors", passed: passedFds },
    { kind: "execute", pointer: "/process/args", args, limits },
  ];
}
