/** Filters of system calls. @see seccomp(2), seccomp_unotify(2) */
import { ERRNO } from "./errno.ts";
import { check } from "./error.ts";
import { Fd } from "./fd.ts";
import { addressOf, syscall } from "./ffi.ts";

const SET_MODE_FILTER = 1;

/** How a filter is loaded. */
export const FILTER_FLAGS = {
  /** Log what is not allowed. */
  LOG: 1 << 1,
  /** Keep speculative store bypass as it is. Linux 4.17 */
  SPEC_ALLOW: 1 << 2,
  /** Give a descriptor that hears the calls that are to be notified. Linux 5.0 */
  NEW_LISTENER: 1 << 3,
  /** Let only fatal signals interrupt a call whose notification has been received; with a listener only. Linux 5.19 */
  WAIT_KILLABLE_RECV: 1 << 5,
} as const;

/** The bits of some flags. @param listens whether a listener is asked for, too */
export function filterBits(flags: readonly (keyof typeof FILTER_FLAGS)[], listens: boolean): number {
  return flags.reduce((sum, flag) => sum | FILTER_FLAGS[flag], listens ? FILTER_FLAGS.NEW_LISTENER : 0);
}

/**
 * Loads a filter for this process and what it executes.
 * @param program instructions of 8 bytes
 * @param flags of {@link FILTER_FLAGS}
 * @returns the listener's descriptor, with NEW_LISTENER
 * @throws {SyscallError} `seccomp`: EACCES without no_new_privs and CAP_SYS_ADMIN, EINVAL for a program that is none, or a flag
 */
export function loadFilter(program: Uint8Array, flags: number): number {
  // struct sock_fprog
  const description = Buffer.alloc(16);
  description.writeUInt16LE(program.byteLength / 8, 0);
  description.writeBigUInt64LE(addressOf(program), 8);
  return check(syscall("seccomp", SET_MODE_FILTER, flags, description), "load the filter of system calls");
}

/** Whether the kernel knows a flag: with it, it comes as far as to read the program, from NULL. */
export function knowsFilterFlag(flag: keyof typeof FILTER_FLAGS): boolean {
  // Without a listener to wait for, this one is refused in any case.
  const flags = FILTER_FLAGS[flag] | (flag === "WAIT_KILLABLE_RECV" ? FILTER_FLAGS.NEW_LISTENER : 0);
  return syscall("seccomp", SET_MODE_FILTER, flags, null) === -ERRNO.EFAULT;
}

/**
 * Takes over a descriptor of another process, close-on-exec.
 * @throws {SyscallError} `pidfd_getfd`: EPERM for a process that may not be traced
 * @see pidfd_getfd(2), Linux 5.6
 */
export function takeDescriptor(pidfd: Fd, number: number): Fd {
  return new Fd(check(syscall("pidfd_getfd", pidfd.number, number, 0), "take over the seccomp listener (pidfd_getfd)"));
}
