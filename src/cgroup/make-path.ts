/** Making a cgroup's directory. */
import { makeCgroup } from "../sys/cgroupfs.ts";
import { ERRNO } from "../sys/errno.ts";
import { SyscallError } from "../sys/error.ts";
import { dirname } from "../sys/path-names.ts";
import type { CgroupHierarchy } from "./plan.ts";

/**
 * Makes a cgroup and its missing ancestors.
 * @param made gets the directories that were not there, outermost first, even when this throws
 * @throws {SyscallError} `mkdir`
 */
export function makePath(hierarchy: CgroupHierarchy, directory: string, made: string[]): void {
  let outcome = makeCgroup(directory);
  if (outcome === "no parent" && directory !== hierarchy.mountPoint) {
    makePath(hierarchy, dirname(directory), made);
    outcome = makeCgroup(directory);
  }
  if (outcome === "no parent") throw new SyscallError(`mkdir ${directory}`, ERRNO.ENOENT);
  if (outcome === "made") made.push(directory);
}
