/** Which cgroup hierarchies this machine has mounted, and where. */

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
