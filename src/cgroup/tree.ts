/** A cgroup and the cgroups below it: their processes, and their removal. */

import { childCgroups, readCgroupFile, removeCgroup } from "../sys/cgroupfs.ts";
import { ERRNO } from "../sys/errno.ts";
import { hasErrno, SyscallError } from "../sys/error.ts";
import { poll } from "../sys/poll.ts";

/**
 * The processes of a cgroup, and with `recursive` of those below it; none when it is gone. One that has no pid in this
 * process's pid namespace counts as 0.
 */
export function processesIn(directory: string, { recursive }: { recursive: boolean }): number[] {
  const pids = ownProcesses(directory);
  if (recursive) {
    for (const name of childCgroups(directory) ?? []) pids.push(...processesIn(`${directory}/${name}`, { recursive }));
  }
  return pids;
}

/**
 * Waits, for about a second, until cgroups and those below them have no processes.
 * @returns why some could not be removed: EBUSY
 */
export function waitUntilEmpty(directories: readonly string[]): SyscallError[] {
  for (let delay = 1; ; delay *= 2) {
    const busy = directories.filter((directory) => processesIn(directory, { recursive: true }).length > 0);
    if (busy.length === 0 || delay > 512) {
      return busy.map((directory) => new SyscallError(`rmdir ${directory}`, ERRNO.EBUSY));
    }
    sleep(delay);
  }
}

/**
 * Removes cgroups and those below them, the deepest first. One that is gone already is none to worry about.
 * @returns why some are still there: EBUSY when they have processes even after about a second
 */
export function removeTrees(directories: readonly string[]): SyscallError[] {
  let left = directories;
  for (let delay = 1; ; delay *= 2) {
    const outcomes = left.map((directory) => ({ directory, errno: -removeTree(directory) }));
    const failures = outcomes.filter(({ errno }) => errno !== 0);
    // A killed process stays in its cgroup until its parent reaps it, so some may go a little later.
    const waiting = failures.some(({ errno }) => errno === ERRNO.EBUSY);
    if (!waiting || delay > 512) {
      return failures.map(({ directory, errno }) => new SyscallError(`rmdir ${directory}`, errno));
    }
    left = failures.map(({ directory }) => directory);
    sleep(delay);
  }
}

function removeTree(directory: string): number {
  const result = removeCgroup(directory);
  if (result === 0) return 0;
  const children = childCgroups(directory);
  // A read-only mount refuses to remove even what is not there.
  if (children === null) return 0;
  for (const name of children) removeTree(`${directory}/${name}`);
  return children.length === 0 ? result : removeCgroup(directory);
}

/** Waits, in milliseconds. */
export function sleep(milliseconds: number): void {
  poll([], milliseconds);
}

function ownProcesses(directory: string): number[] {
  try {
    return numbers(readCgroupFile(directory, "cgroup.procs"));
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENODEV")) return [];
    // A threaded cgroup has threads only.
    if (hasErrno(error, "EOPNOTSUPP")) return numbers(readCgroupFile(directory, "cgroup.threads"));
    throw error;
  }
}

function numbers(text: string): number[] {
  return text.split("\n").filter(Boolean).map(Number);
}
