/**
 * Record locks: a lock on a file that belongs to a process, not to the descriptor. It ends with the process, or when that closes the
 * file, as an execve does that a descriptor is marked for; whoever else has the file open does not prolong it.
 * @see fcntl_locking(2)
 */
import { check } from "./error.ts";
import { addressOf, syscall } from "./ffi.ts";

const F_GETLK = 5;
const F_SETLK = 6;
const F_WRLCK = 1;
const F_UNLCK = 2;

/** struct flock: type and whence (16 bits each), start and length (64 bits each; both 0: the whole file), pid. In words. */
function flockOf(type: number): Int32Array {
  const words = new Int32Array(8);
  words[0] = type;
  return words;
}

/** Locks a file for this process. @throws {SyscallError} `lock`: EAGAIN when another process has it */
export function lockFile(fd: number): void {
  const flock = flockOf(F_WRLCK);
  check(syscall("fcntl", fd, F_SETLK, addressOf(flock)), "lock");
}

/** The process that has a file locked, as this process's pid namespace has it; `null` when none has. @throws {SyscallError} */
export function lockOwner(fd: number): number | null {
  const flock = flockOf(F_WRLCK);
  check(syscall("fcntl", fd, F_GETLK, addressOf(flock)), "find the owner of the lock");
  return ((flock[0] as number) & 0xffff) === F_UNLCK ? null : (flock[6] as number);
}
