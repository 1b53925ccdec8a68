/** A cgroup and the cgroups below it: their processes, and their removal. */
import { constants } from "node:os";
import { childCgroups, readCgroupFile, removeCgroup } from "../sys/cgroupfs.ts";
import { hasErrno, SyscallError } from "../sys/error.ts";
import { poll } from "../sys/poll.ts";

/** The processes of a cgroup, and with `recursive` of those below it; none when it is gone. */
export function processesIn(directory: string, { recursive }: { recursive: boolean }): number[] {
  const pids = ownProcesses(directory);
  if (recursive) {
    for (const name of childCgroups(directory)) pids.push(...processesIn(`${directory}/${name}`, { recursive }));
  }
  return pids;
}

/**
 * Removes a cgroup and those below it, the deepest first. One that is gone already is none to worry about.
 * @throws {SyscallError} EBUSY when there are still processes after about a second
 */
export function removeTree(directory: string): void {
  if (removeCgroup(directory) === 0) return;
  for (const name of childCgroups(directory)) removeTree(`${directory}/${name}`);
  // A killed process stays in its cgroup until its parent reaps it.
  for (let delay = 1; ; delay *= 2) {
    const result = removeCgroup(directory);
    if (result === 0) return;
    if (result !== -constants.errno.EBUSY || delay > 512) throw new SyscallError(`rmdir ${directory}`, -result);
    sleep(delay);
  }
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
