/** How often the kernel killed in a cgroup for want of memory. */

import { readText } from "../sys/file.ts";
import { join } from "../sys/path-names.ts";
import type { CgroupHierarchy } from "./plan.ts";

/**
 * Counts the OOM kills in a container's memory cgroup; 0 where there is none, or where that cannot be told: whoever asks has a failure
 * to explain, and the same may be why the count cannot be read.
 * @see linux/Documentation/admin-guide/cgroup-v1/memory.rst (memory.oom_control), cgroup-v2.rst (memory.events)
 */
export function oomKills(memory: CgroupHierarchy | undefined): number {
  if (memory === undefined) return 0;
  return readCount(join(memory.directory, memory.version === 1 ? "memory.oom_control" : "memory.events"));
}

function readCount(path: string): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readText(path))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
