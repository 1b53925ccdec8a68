/** Where a container's cgroup is, in each hierarchy: decided once, at create, and kept in the container's state. */
import type { CgroupHierarchy, CgroupLocation, CgroupMount, SystemdLocation, Unit } from "../plan/cgroups.ts";
import { join, normalize, relative, resolve } from "../sys/path-names.ts";
import { annotationProperties, propertyAnnotations } from "./systemd/annotations.ts";
import { planUnit, unitPath } from "./systemd/unit.ts";

export type { CgroupHierarchy, CgroupLocation } from "../plan/cgroups.ts";

/** A location with cgroups. */
export type FsLocation = Exclude<CgroupLocation, { driver: "disabled" }>;

/** What {@link planCgroup} decides from. */
export interface CgroupPlanInput {
  /** `linux.cgroupsPath`. */
  cgroupsPath?: string;
  /** The container's id, the default name of its cgroup. */
  id: string;
  mounts: readonly CgroupMount[];
  /** The runtime's own cgroups, see `ownCgroups`. */
  own: ReadonlyMap<string, string>;
  manager: "cgroupfs" | "systemd" | "disabled";
  rootless: boolean;
  /** What is asked about a systemd that runs on this machine; `null` when none does. */
  systemd?: SystemdFacts | null;
  annotations?: Readonly<Record<string, string>>;
}

export interface SystemdFacts {
  /** Whose units are used. */
  manager: Unit["manager"];
  /** The cgroup of that manager, below which those of its units are; `""` is the root. */
  controlGroup: string;
}

/** The v1 hierarchies that a container joins, in the order in which they are made and set. */
const joined = [
  ..."cpuset devices memory cpu cpuacct pids blkio hugetlb net_cls net_prio perf_event freezer rdma".split(" "),
  "name=systemd",
  "misc",
];

/**
 * Finds the container's cgroups.
 *
 * An absolute `cgroupsPath` starts from the root of each hierarchy; a relative one, or the id when there is none, from
 * the runtime's own cgroup (v2: from its parent, since a cgroup that holds processes cannot enable controllers for
 * cgroups below it). No path leaves its hierarchy.
 *
 * @throws {Error} when there are no cgroups, the driver is not available, or the path names a cgroup not the container's own
 */
export function planCgroup(input: CgroupPlanInput): CgroupLocation {
  if (input.manager === "disabled") return { driver: "disabled", hierarchies: [] };
  if (input.manager === "systemd") return planSystemd(input);
  const path = cleanPath(input.cgroupsPath ?? "");
  const inner = path === "" ? cleanPath(input.id) : path;
  const unified = unifiedMount(input.mounts);
  const hierarchies =
    unified === null ? v1Hierarchies(inner, input) : [hierarchy(unified, v2Parent(unified, inner, input.own), inner)];
  for (const { directory, mountPoint } of hierarchies) {
    if (directory === mountPoint || inner === "") {
      throw new Error(`linux.cgroupsPath ${JSON.stringify(input.cgroupsPath)} names no cgroup of the container's own`);
    }
  }
  const { rootless } = input;
  return { driver: "cgroupfs", mode: unified === null ? "v1" : "v2", hierarchies, explicit: path !== "", rootless };
}

/** @throws {Error} where there is no systemd, for names that it does not have, and for annotations that are no properties */
function planSystemd(input: CgroupPlanInput): SystemdLocation {
  const { systemd, id, rootless, cgroupsPath = "" } = input;
  if (!systemd) throw new Error("systemd not running on this host, cannot use systemd cgroups manager");
  const unit = planUnit(cgroupsPath, id, systemd.manager);
  annotationProperties(input.annotations ?? {});
  const path = systemd.controlGroup.replace(/\/$/, "") + unitPath(unit);
  const unified = unifiedMount(input.mounts);
  return {
    driver: "systemd",
    mode: unified === null ? "v1" : "v2",
    hierarchies: unified === null ? v1Hierarchies(path, input) : [hierarchy(unified, "/", path)],
    explicit: true,
    rootless,
    id,
    unit,
    properties: propertyAnnotations(input.annotations ?? {}),
  };
}

/** Makes a path clean, and a relative one unable to climb: `../../a/./b` becomes `a/b`, `/../a` becomes `/a`. */
export function cleanPath(path: string): string {
  if (path === "") return "";
  const absolute = resolve(`/${path}`);
  return path.startsWith("/") ? absolute : absolute.slice(1);
}

/** The v2 mount of a machine whose controllers are all in v2; `null` when there are v1 hierarchies to use. */
function unifiedMount(mounts: readonly CgroupMount[]): CgroupMount | null {
  const atDefault = lastOn(mounts, "/sys/fs/cgroup");
  if (atDefault?.version === 2) return atDefault;
  if (mounts.some(({ version, controllers }) => version === 1 && controllers.some((name) => joined.includes(name)))) {
    return null;
  }
  const first = mounts.find(({ version }) => version === 2);
  if (first === undefined) throw new Error("no cgroup mount found in mountinfo");
  return first;
}

/** The last mount on a place is the one seen there. */
function lastOn(mounts: readonly CgroupMount[], place: string): CgroupMount | undefined {
  let last: CgroupMount | undefined;
  for (const mount of mounts) if (mount.mountPoint === place) last = mount;
  return last;
}

function v1Hierarchies(inner: string, { mounts, own }: CgroupPlanInput): CgroupHierarchy[] {
  const found: CgroupHierarchy[] = [];
  const byController = v1Mounts(mounts);
  const seen = new Set<CgroupMount>();
  for (const name of joined) {
    const mount = byController.get(name);
    if (mount !== undefined && seen.has(mount)) continue;
    // A hierarchy that is mounted but not ours to see has no line in /proc/self/cgroup.
    const ownPath = own.get(name) ?? (inner.startsWith("/") ? "/" : undefined);
    if (mount !== undefined && ownPath !== undefined) {
      seen.add(mount);
      found.push(hierarchy(mount, inner.startsWith("/") ? "/" : shown(mount, ownPath), inner));
    } else if (name === "devices") {
      throw new Error("mountpoint for devices not found: a container's devices cannot be restricted without it");
    }
  }
  const unified = lastOn(mounts, "/sys/fs/cgroup/unified");
  // In the v2 hierarchy of a hybrid machine, the path starts from the root in any case: engines look for it there.
  if (unified?.version === 2) found.push(hierarchy(unified, "/", inner));
  return found;
}

/** The mount of each controller: the first one in the usual place; the first one if there is none there. */
function v1Mounts(mounts: readonly CgroupMount[]): Map<string, CgroupMount> {
  const found = new Map<string, CgroupMount>();
  const isUsual = ({ mountPoint }: CgroupMount) => mountPoint.startsWith("/sys/fs/cgroup/");
  for (const mount of mounts) {
    if (mount.version !== 1) continue;
    for (const controller of mount.controllers) {
      const before = found.get(controller);
      if (before === undefined || (!isUsual(before) && isUsual(mount))) found.set(controller, mount);
    }
  }
  return found;
}

function v2Parent(mount: CgroupMount, inner: string, own: ReadonlyMap<string, string>): string {
  if (inner.startsWith("/")) return "/";
  const ownPath = own.get("");
  if (ownPath === undefined) throw new Error("cgroup path not found: /proc/self/cgroup has no line for cgroup v2");
  return join(shown(mount, ownPath), "..");
}

/** Where a path of the hierarchy is below its mount point; the mount point itself when the mount does not show it. */
function shown(mount: CgroupMount, path: string): string {
  if (mount.root === "/" && !path.includes("/.")) return path;
  const below = relative(normalize(mount.root), normalize(path));
  return below === ".." || below.startsWith("../") ? "/" : `/${below}`;
}

function hierarchy(mount: CgroupMount, parent: string, inner: string): CgroupHierarchy {
  const { version, controllers, mountPoint } = mount;
  return { version, controllers, mountPoint, directory: resolve(`${mountPoint}/${parent}/${inner}`) };
}
