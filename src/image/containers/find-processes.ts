/**
 * The processes of a container of which nothing written down tells any more: they have its rootfs for their root, in namespaces that are not
 * the caller's. A pid that was given to another process since has neither.
 */
import { hasErrno } from "../../sys/error.ts";
import type { Fd } from "../../sys/fd.ts";
import { readDirectory, readLink, readText } from "../../sys/file.ts";
import { POLL, poll } from "../../sys/poll.ts";
import { pidfdFind, pidfdSendSignal } from "../../sys/process.ts";
import { SIGNALS } from "../../sys/signal.ts";
import { SignalFailures } from "../../sys/signal-failures.ts";
import { findStat, isSameFile, type Stat } from "../../sys/stat.ts";

/** What was found and killed. */
export interface Killed {
  count: number;
  /** The last parts of the cgroups that they were in: the runtime calls those by the container's name. */
  cgroups: Set<string>;
}

/**
 * Kills the processes whose root a directory is, and all that is in pid namespaces with them.
 * @param patience milliseconds
 * @throws {SyscallError} for those that could not be killed, when the others have been
 */
export function killByRoot(rootfs: string, patience: number): Killed {
  const killed: Killed = { count: 0, cgroups: new Set() };
  const root = findStat(rootfs);
  if (root === null) return killed;
  const namespaces = new Set(pids().flatMap((pid) => (isContained(pid, root) ? (namespaceOf(pid, "pid") ?? []) : [])));
  const held: Fd[] = [];
  const failures = new SignalFailures(SIGNALS.SIGKILL);
  try {
    for (const pid of namespaces.size === 0 ? [] : pids()) {
      const pidfd = pidfdFind(pid);
      // Asked after the process is held, so that it is this one.
      if (pidfd === null || !namespaces.has(namespaceOf(pid, "pid") ?? "")) {
        pidfd?.close();
        continue;
      }
      for (const name of cgroupsOf(pid)) killed.cgroups.add(name);
      if (failures.try(pid, () => pidfdSendSignal(pidfd.number, SIGNALS.SIGKILL))) killed.count++;
      if (failures.has(pid)) pidfd.close();
      else held.push(pidfd);
    }
    for (const pidfd of held) poll([{ fd: pidfd.number, events: POLL.IN }], patience);
  } finally {
    for (const pidfd of held) pidfd.close();
  }
  failures.throwIfAny();
  return killed;
}

function pids(): number[] {
  return readDirectory("/proc").flatMap(({ name }) => (/^\d+$/.test(name) ? Number(name) : []));
}

/** Another user's process tells nothing, and neither does one that has ended. */
function orUnknown<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH", "EACCES", "EPERM")) return null;
    throw error;
  }
}

/** Whoever entered the directory by chroot alone shares the caller's namespaces. */
function isContained(pid: number, root: Stat): boolean {
  const own = orUnknown(() => findStat(`/proc/${pid}/root`));
  if (own === null || !isSameFile(own, root)) return false;
  return (["pid", "mnt"] as const).every((kind) => namespaceOf(pid, kind) !== namespaceOf("self", kind));
}

function namespaceOf(pid: number | "self", kind: "pid" | "mnt"): string | null {
  return orUnknown(() => readLink(`/proc/${pid}/ns/${kind}`));
}

function cgroupsOf(pid: number): string[] {
  const text = orUnknown(() => readText(`/proc/${pid}/cgroup`)) ?? "";
  return text.split("\n").flatMap((line) => line.split("/").at(-1) || []);
}
