/** What a plan needs to know of the machine it is for: gathered once, by `runtime/host.ts`, so that planning needs no I/O. */
import type { CgroupMount } from "./cgroups.ts";

export interface HostFacts {
  /** Effective uid and gid of the runtime. */
  euid: number;
  egid: number;
  /** Whether the runtime itself runs in a user namespace other than the initial one. */
  inUserNamespace: boolean;
  /** Whether nobody in the runtime's user namespace may change supplementary groups. */
  setgroupsDenied: boolean;
  /** Whether SELinux is in force or could be: without it mounts get no label. */
  selinux: boolean;
  /** The container's cgroup at each mounted hierarchy, in the order of `/proc/self/mountinfo`. */
  cgroupMounts: CgroupMount[];
  /** Whether a file is a cgroup namespace that is no container's: the runtime's own, or the one that the machine has from its start. */
  isHostCgroupNamespace(path: string): boolean;
  /** The highest capability number of the kernel (`/proc/sys/kernel/cap_last_cap`). */
  lastCapability: number;
}
