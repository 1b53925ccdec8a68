/** Locks of whole files and directories. One lasts as long as the open file that has it, in whatever process that is open. @see flock(2) */
import { ERRNO } from "./errno.ts";
import { check } from "./error.ts";
import type { Fd } from "./fd.ts";
import { syscall } from "./ffi.ts";

/** Any number may have a file locked as shared, one alone as exclusive. */
export type LockMode = "shared" | "exclusive";

const OPERATIONS = { shared: 1, exclusive: 2 } as const;
const [LOCK_NB, LOCK_UN] = [4, 8];

/** Locks a file if that can be done now. @returns 0, or a negative errno: `-EAGAIN` where others have it */
export function flockNow(file: Fd, mode: LockMode): number {
  return syscall("flock", file.number, OPERATIONS[mode] | LOCK_NB);
}

/** Locks a file that nobody else can have locked. @throws {SyscallError} `lock <path>` */
export function lockOwn(file: Fd, mode: LockMode, path: string): void {
  check(flockNow(file, mode), () => `lock ${path}`);
}

/** Locks a file, and waits for that. @throws {SyscallError} `lock <path>` */
export function lockWhenFree(file: Fd, mode: LockMode, path: string): void {
  let result: number;
  do result = syscall("flock", file.number, OPERATIONS[mode]);
  while (result === -ERRNO.EINTR);
  check(result, () => `lock ${path}`);
}

/** Gives a lock up before the file is closed. @throws {SyscallError} `unlock` */
export function unlockFile(file: Fd): void {
  check(syscall("flock", file.number, LOCK_UN), "unlock");
}
