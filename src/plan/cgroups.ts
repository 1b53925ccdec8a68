/** What a plan, and a container's state, say of cgroups. */

/** One cgroup hierarchy. */
export interface CgroupMount {
  version: 1 | 2;
  /** v1: the controllers, or `["name=systemd"]` for a named hierarchy. v2: empty. */
  controllers: string[];
  /** Where it is mounted: `/sys/fs/cgroup/memory`, `/sys/fs/cgroup`, `/sys/fs/cgroup/unified`. */
  mountPoint: string;
  /** The directory of the hierarchy that the mount shows, `/` unless a part of it is bound. */
  root: string;
}

/** A container's cgroup in one hierarchy. */
export interface CgroupHierarchy {
  version: 1 | 2;
  /** As in {@link CgroupMount}. */
  controllers: string[];
  mountPoint: string;
  /** Absolute path of the container's cgroup. */
  directory: string;
}

interface InHierarchies {
  /** `v1` has v1 hierarchies and, on a hybrid machine, the v2 one besides; `v2` has that one alone. */
  mode: "v1" | "v2";
  hierarchies: CgroupHierarchy[];
  /** Whether config.json names the cgroup. One that it does not name may fail to be made without privilege. */
  explicit: boolean;
  rootless: boolean;
}

/** A container's unit of systemd. */
export interface Unit {
  /** `tsrunc-web.scope`, or the name of a slice. */
  name: string;
  /** The slice that it is in. */
  slice: string;
  /** Whose it is: the system's manager, or that of a user. */
  manager: "system" | "user";
}

/** A cgroup that systemd makes, and shares the care of. */
export interface SystemdLocation extends InHierarchies {
  driver: "systemd";
  id: string;
  unit: Unit;
  /** The annotations that set properties of the unit, as they are. */
  properties: Record<string, string>;
}

/** A container's cgroup in all hierarchies; plain JSON. */
export type CgroupLocation =
  | (InHierarchies & { driver: "cgroupfs" })
  | SystemdLocation
  /** The container stays in the cgroup of whoever started it. */
  | { driver: "disabled"; hierarchies: [] };
