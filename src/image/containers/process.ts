/** Processes of containers, by names that stay theirs. */
import { readFileSync } from "node:fs";
import { hasErrno } from "../../sys/error.ts";
import type { Fd } from "../../sys/fd.ts";
import { syscall } from "../../sys/ffi.ts";
import { hasEnded, pidfdFind, pidfdSendSignal, processStat } from "../../sys/process.ts";
import type { ProcessIdentity } from "./record.ts";

/** Another one each time the machine starts. @see random(4) */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}

/** @returns `null` for a process that has ended */
export function identify(pid: number): ProcessIdentity | null {
  const stat = processStat(pid);
  return stat === null || hasEnded(stat) ? null : { pid, startTime: stat.startTime, bootId: bootId() };
}

/** Whether the process that is meant still lives. */
export function isAlive({ pid, startTime, bootId: boot }: ProcessIdentity): boolean {
  const stat = processStat(pid);
  return stat !== null && stat.startTime === startTime && !hasEnded(stat) && boot === bootId();
}

/** Sends a signal to the process that is meant, and to no other. @returns whether it was there to get it */
export function signalProcess(process: ProcessIdentity, signal: number): boolean {
  using pidfd = pidfdFind(process.pid);
  // Asked after the process is held, so that it is this one.
  return pidfd !== null && isAlive(process) && pidfdSendSignal(pidfd.number, signal);
}

/**
 * How a process ended that is somebody else's child.
 * @param pidfd opened before it was reaped
 * @returns the exit code, 128+N for signal N; `null` where it was reaped and the kernel (before 6.15) does not say
 * @see proc_pid_stat(5), exit_code; linux/pidfd.h, PIDFD_GET_INFO and PIDFD_INFO_EXIT
 */
export function exitCodeOf(pid: number, pidfd: Fd): number | null {
  const status = statusOfZombie(pid) ?? statusOfReaped(pidfd);
  if (status === null) return null;
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}

/** Of a process that is the one that is meant, as long as nobody has reaped it. */
function statusOfZombie(pid: number): number | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? Number(fields[49]) : null;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH")) return null;
    throw error;
  }
}

function statusOfReaped(pidfd: Fd): number | null {
  const PIDFD_GET_INFO = 0xc040ff0b;
  const PIDFD_INFO_EXIT = 1n << 3n;
  const info = Buffer.alloc(64); // struct pidfd_info, version 0: mask, cgroupid, ten ids, exit_code
  info.writeBigUInt64LE(PIDFD_INFO_EXIT, 0);
  const result = syscall("ioctl", pidfd.number, PIDFD_GET_INFO, info);
  return result < 0 || (info.readBigUInt64LE(0) & PIDFD_INFO_EXIT) === 0n ? null : info.readInt32LE(60);
}
