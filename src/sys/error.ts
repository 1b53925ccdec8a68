/** Errors of system calls, with the errno by name. */
import { ERRNO, type Errno, errnoName } from "./errno.ts";
import { type CallName, syscall } from "./ffi.ts";
import type { Arguments } from "./prototypes.ts";

/** A failed system call. */
export class SyscallError extends Error {
  override readonly name = "SyscallError";
  /** The errno by name, as in Node's own errors. */
  readonly code: string;

  /**
   * @param what  the call and its arguments in words: `mount proc on /proc [nosuid]`
   * @param errno the positive errno
   */
  constructor(
    readonly what: string,
    readonly errno: number,
  ) {
    const code = errnoName(errno);
    super(`${what}: ${code}: ${errnoText(errno)}`);
    this.code = code;
  }
}

/** The text of an errno in libc's words, in lower case: `errnoText(2)` is `"no such file or directory"`. */
export function errnoText(errno: number): string {
  const message = syscall("strerror", errno);
  return message.charAt(0).toLowerCase() + message.slice(1);
}

/** Whether an error is a failed call with one of these errnos; true for {@link SyscallError} and for Node's errors. */
export function hasErrno(error: unknown, ...codes: Errno[]): boolean {
  return error instanceof Error && "code" in error && (codes as unknown[]).includes(error.code);
}

/**
 * Turns a failed result of {@link syscall} into an exception.
 * @param what describes the call; a function, so that it costs nothing when the call succeeds
 * @throws {SyscallError}
 */
export function check(result: number, what: string | (() => string)): number {
  if (result < 0) throw new SyscallError(typeof what === "string" ? what : what(), -result);
  return result;
}

/**
 * Makes a system call that must succeed, and makes it again when a signal interrupts it.
 * @throws {SyscallError} under the call's own name
 */
export function mustSyscall<Name extends CallName>(name: Name, ...args: Arguments<Name>): number {
  for (;;) {
    const result = Number(syscall(name, ...args));
    if (result !== -ERRNO.EINTR) return check(result, name);
  }
}

/** What is found; `null` when there is nothing (ENOENT, ENOTDIR). @throws {SyscallError} for other reasons */
export function orNull<T>(find: () => T): T | null {
  try {
    return find();
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return null;
    throw error;
  }
}
