/** What a workload needs of the machine. */
import { existsSync, statfsSync } from "node:fs";
import type { Engine } from "./engines.ts";
import type { Workload } from "./workload.ts";

/** What statfs(2) says of the v2 hierarchy (linux/magic.h). */
const CGROUP2_SUPER_MAGIC = 0x63677270;

/** @returns why a workload cannot run under an engine on this machine, or `null` */
export function whyNotHere({ needs }: Workload, { caller }: Engine): string | null {
  if (caller !== undefined && !existsSync("/dev/net/tun"))
    return "an ordinary user's network is made by /dev/net/tun, which is not there";
  if (needs === "cgroups" && caller !== undefined && statfsSync("/sys/fs/cgroup").type !== CGROUP2_SUPER_MAGIC)
    return "cgroup v1 is root's alone";
  return null;
}
