/**
 * Locks between processes: flock(2) on files below the store, which the kernel lets go of when a process ends, however it does.
 *
 * Nothing waits in the kernel, which would stop the event loop: a lock that another process has is tried again after a while.
 */

import { setTimeout as sleep } from "node:timers/promises";
import { ERRNO } from "../../sys/errno.ts";
import { check, orNull } from "../../sys/error.ts";
import { type Fd, O, open } from "../../sys/fd.ts";
import { flockNow, type LockMode } from "../../sys/flock.ts";
import { findStat, fstat, isSameFile } from "../../sys/stat.ts";

/** Milliseconds between tries: at first, and at most. */
const PAUSE = { first: 2, most: 100 } as const;

/**
 * Takes a lock if it can be had now.
 * @param path a file, made if it is not there
 * @returns the open file, whose closing is the unlocking; `null` when another process has it
 * @throws {SyscallError} `open`, `lock`
 */
export function tryLock(path: string, mode: LockMode): Fd | null {
  for (;;) {
    const file = open(path, O.RDWR | O.CREAT | O.NOFOLLOW, 0o600);
    const result = flockNow(file, mode);
    if (result === 0 && isAt(file, path)) return file;
    file.close();
    if (result === -ERRNO.EAGAIN) return null;
    if (result !== 0) check(result, () => `lock ${path}`);
  }
}

/** Whether another process has a file locked against all. One that is not there has no lock; nothing is made or written. */
export function isLocked(path: string): boolean {
  using file = orNull(() => open(path, O.RDONLY | O.NOFOLLOW | O.NONBLOCK));
  if (file === null) return false;
  const result = flockNow(file, "shared");
  if (result !== 0 && result !== -ERRNO.EAGAIN) check(result, () => `lock ${path}`);
  return result !== 0;
}

/** Whoever had the lock before may have removed the file, or put another in its place. */
function isAt(file: Fd, path: string): boolean {
  const there = findStat(path);
  return there !== null && isSameFile(there, fstat(file.number));
}

/**
 * Takes a lock, waiting for others.
 * @param onWait called once, when there is something to wait for
 * @param signal ends the waiting
 * @throws {SyscallError} `open`, `lock` @throws what the signal was aborted with
 */
export async function lock(
  path: string,
  mode: LockMode,
  onWait: () => void = () => {},
  signal?: AbortSignal,
): Promise<Fd> {
  for (let pause: number = PAUSE.first; ; pause = Math.min(2 * pause, PAUSE.most)) {
    const file = tryLock(path, mode);
    if (file !== null) return file;
    signal?.throwIfAborted();
    if (pause === PAUSE.first) onWait();
    await sleep(pause);
  }
}
