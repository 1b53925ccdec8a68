/** Gathers what a plan needs to know of this machine. */

import { type CgroupMount, detectCgroupMounts } from "../cgroup/layout.ts";
import type { HostFacts } from "../plan/host.ts";
import { readText } from "../sys/file.ts";

/** Reads the facts from `/proc`: those that not every plan asks for, when it does. */
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
    get cgroupMounts() {
      cgroupMounts ??= detectCgroupMounts();
      return cgroupMounts;
    },
    get lastCapability() {
      return Number(readText("/proc/sys/kernel/cap_last_cap"));
    },
  };
}

/** Whether this process is in a user namespace other than the initial one. @see user_namespaces(7) */
export function inUserNamespace(): boolean {
  const words = readText("/proc/self/uid_map").trim().split(" ");
  return words.filter((word) => word !== "").join(" ") !== "0 0 4294967295";
}
