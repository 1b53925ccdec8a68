/** Gathers what a plan needs to know of this machine. */

import { type CgroupMount, detectCgroupMounts } from "../cgroup/layout.ts";
import type { HostFacts } from "../plan/host.ts";
import { lastCapability } from "../sys/capability.ts";
import { orNull } from "../sys/error.ts";
import { exists, readText } from "../sys/file.ts";
import { stat } from "../sys/stat.ts";
import { inUserNamespace } from "../sys/user-namespace.ts";

/** Gathers the facts: those that not every plan asks for, when it does. */
export function hostFacts(): HostFacts {
  let cgroupMounts: CgroupMount[] | undefined;
  const inside = inUserNamespace();
  return {
    euid: process.geteuid?.() ?? 0,
    egid: process.getegid?.() ?? 0,
    inUserNamespace: inside,
    get setgroupsDenied() {
      return inside && readText("/proc/self/setgroups").trim() === "deny";
    },
    get selinux() {
      return exists("/sys/fs/selinux/enforce");
    },
    get cgroupMounts() {
      cgroupMounts ??= detectCgroupMounts();
      return cgroupMounts;
    },
    isHostCgroupNamespace,
    get lastCapability() {
      return lastCapability();
    },
  };
}

/** @see linux/include/linux/proc_ns.h, PROC_CGROUP_INIT_INO */
function isHostCgroupNamespace(path: string): boolean {
  const INITIAL = 0xeffffffbn;
  // One that is not there is for those to refuse who join it.
  const inode = orNull(() => stat(path).ino);
  return inode !== null && (inode === INITIAL || inode === orNull(() => stat("/proc/self/ns/cgroup").ino));
}
