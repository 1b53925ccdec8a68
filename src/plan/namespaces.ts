/** Which namespaces the container gets, and by which way: made with the process, made later, or joined. */
import type { IdMapping, Integer64, Linux, Namespace, NamespaceType, User } from "../config/types.ts";
import type { Describers, StepBase } from "./step.ts";

/** What the init does about namespaces, before anything else. */
export type NamespaceStep =
  /**
   * With all of the user namespace's capabilities, which a process that has just come in has whatever its user.
   *
   * `uid`, `gid`: 0 where they are mapped.
   * `dumpable`: whether the process's files in `/proc` become its own, which it needs to set itself up. Not where another
   * process of the container is already there, and could use them.
   */
  | (StepBase & { kind: "become-root"; uid: number; gid: number; dumpable: boolean })
  | (StepBase & { kind: "unshare"; type: "cgroup" })
  | (StepBase & { kind: "new-time-namespace"; offsets: TimeOffset[] });

export type BecomeRootStep = Extract<NamespaceStep, { kind: "become-root" }>;

/** An offset of one clock of a time namespace. */
export interface TimeOffset {
  clock: string;
  seconds: Integer64;
  nanoseconds: number;
}

/** A namespace to join by path. */
export interface NamespaceJoin {
  type: NamespaceType;
  path: string;
  /** JSON pointer of its entry. */
  pointer: string;
}

/** How the init is forked, and what the parent does for its namespaces. */
export interface NamespacePlan {
  /** Namespaces made by `clone` itself. */
  clone: NamespaceType[];
  /** Namespaces joined, by a helper process, before the init is forked. */
  join: NamespaceJoin[];
  /** Id maps that the parent writes; `null` without a new user namespace. */
  idMaps: { uid: IdMapping[]; gid: IdMapping[] } | null;
  /** Whether the init keeps its memory and its files in `/proc` to itself until its execve, see {@link planNamespaces}. */
  undumpable: boolean;
  /** What the init does itself. */
  steps: NamespaceStep[];
  /** What it does when it is in its cgroups. */
  inCgroups: NamespaceStep[];
}

/**
 * Plans the namespaces.
 *
 * In a pid or user namespace that it joins the init has neighbours from the beginning, with the capabilities to attach to
 * it while it still holds the host's files (CVE-2016-9962): undumpable, it is out of their reach. Not for a runtime without
 * root, to which the init's files in `/proc` would be closed, too.
 *
 * The cgroup namespace takes the process's cgroup as its root, so it is made when the process has entered that; a
 * time namespace takes only children, or a process that joins it afterwards.
 */
export function planNamespaces(linux: Linux, user?: User, euid = 0): NamespacePlan {
  const namespaces = linux.namespaces ?? [];
  const made = namespaces.filter(({ path }) => !path).map(({ type }) => type);
  const join = joins(namespaces);
  const undumpable = euid === 0 && join.some(({ type }) => type === "pid" || type === "user");
  const steps: NamespaceStep[] = planUserNamespace(linux, user, !undumpable);
  if (made.includes("time")) {
    steps.push({ kind: "new-time-namespace", pointer: "/linux/timeOffsets", offsets: timeOffsets(linux) });
  }
  const inCgroups: NamespaceStep[] = [];
  if (made.includes("cgroup")) inCgroups.push({ kind: "unshare", type: "cgroup", pointer: "/linux/namespaces" });
  return {
    clone: made.filter((type) => type !== "cgroup" && type !== "time"),
    join,
    idMaps: made.includes("user") ? { uid: linux.uidMappings ?? [], gid: linux.gidMappings ?? [] } : null,
    undumpable,
    steps,
    inCgroups,
  };
}

/**
 * How a process that has come into the container's user namespace becomes somebody there: root; where root is not mapped,
 * as with crun, the user that the container's process will be.
 */
export function planUserNamespace(linux: Linux, user: User | undefined, dumpable: boolean): BecomeRootStep[] {
  if (!(linux.namespaces ?? []).some(({ type }) => type === "user")) return [];
  const uid = rootOr(user?.uid, linux.uidMappings);
  const gid = rootOr(user?.gid, linux.gidMappings);
  return [{ kind: "become-root", uid, gid, dumpable, pointer: "/linux/namespaces" }];
}

function rootOr(id = 0, mappings: readonly IdMapping[] = []): number {
  const isMapped = (wanted: number) =>
    mappings.some(({ containerID, size }) => wanted >= containerID && wanted < containerID + size);
  return isMapped(0) || mappings.length === 0 ? 0 : isMapped(id) ? id : (mappings[0]?.containerID ?? 0);
}

function joins(namespaces: readonly Namespace[]): NamespaceJoin[] {
  const found: NamespaceJoin[] = [];
  namespaces.forEach(({ type, path }, index) => {
    if (path) found.push({ type, path, pointer: `/linux/namespaces/${index}` });
  });
  return found;
}

function timeOffsets(linux: Linux): TimeOffset[] {
  return Object.entries(linux.timeOffsets ?? {}).map(([clock, { secs = 0, nanosecs = 0 }]) => ({
    clock,
    seconds: secs,
    nanoseconds: nanosecs,
  }));
}

export const describeNamespaces: Describers<NamespaceStep> = {
  "become-root": ({ uid, gid }) =>
    uid === 0 && gid === 0
      ? "become root of the user namespace"
      : `become ${uid}:${gid} of the user namespace, which maps no root`,
  unshare: ({ type }) => `make a new ${type} namespace`,
  "new-time-namespace": ({ offsets }) =>
    ["make a new time namespace", ...offsets.map((o) => `${o.clock} ${o.seconds}s ${o.nanoseconds}ns`)].join(", "),
};
