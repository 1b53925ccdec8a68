/** Thawing a process that is not where its container put it. */
import { hasErrno } from "../sys/error.ts";
import { thaw } from "./freezer.ts";
import { readOwnCgroups } from "./layout.ts";
import type { CgroupLocation } from "./plan.ts";

/** Thaws the v1 cgroup that somebody has moved a process to: a killed one does not end before. */
export function thawWhereIs(pid: number, location: CgroupLocation): void {
  const freezer = location.hierarchies.find(({ controllers }) => controllers.includes("freezer"));
  try {
    const path = readOwnCgroups(pid).get("freezer");
    if (freezer !== undefined && path !== undefined) thaw({ ...freezer, directory: freezer.mountPoint + path });
  } catch (error) {
    // The process has ended meanwhile, or is at the root, which does not freeze.
    if (!hasErrno(error, "ENOENT", "ESRCH")) throw error;
  }
}
