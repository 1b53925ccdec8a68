/** Gathers what a plan needs to know of this machine. */

import { type CgroupMount, detectCgroupMounts } from "../cgroup/layout.ts";
import type { HostFacts } from "../plan/host.ts";
import { lastCapability } from "../sys/capability.ts";
import { readText } from "../sys/file.ts";

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
    get cgroupMounts() {
      cgroupMounts ??= detectCgroupMounts();
      return cgroupMounts;
    },
    get lastCapability() {
      return lastCapability();
    },
  };
}

/** Whether this process is in a user namespace other than the initial one. @see user_namespaces(7) */
export function inUserNamespace(): boolean {
  const words = readText("/proc/self/uid_map").trim().split(" ");
  return words.filter((word) => word !== "").join(" ") !== "0 0 4294967295";
}
