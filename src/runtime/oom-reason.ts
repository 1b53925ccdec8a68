import type { Cgroup } from "../cgroup/manager.ts";

/** The failure to report of an init that was not the user's program yet: where the kernel killed for want of memory, all else is a consequence. */
export function reasonOfInit(error: Error, cgroup: Cgroup): Error {
  if (cgroup.oomKills() === 0) return error;
  return new Error(`container init was OOM-killed (memory limit too low?): ${error.message}`);
}
