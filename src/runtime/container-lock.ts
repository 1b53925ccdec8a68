/** Orders commands that work on one container: by a lock on its directory, which `create` makes. */
import { monotonicTime } from "../sys/clock.ts";
import { ERRNO } from "../sys/errno.ts";
import { hasErrno, check as succeeded } from "../sys/error.ts";
import { AT, AT_FDCWD, type Fd, O, open } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { mkdir, mkdirAll } from "../sys/file.ts";
import { flockNow, unlockFile } from "../sys/flock.ts";
import { poll } from "../sys/poll.ts";
import { fstat } from "../sys/stat.ts";
import { containerDirectory } from "./store.ts";
import { assertTrusted } from "./trust.ts";

/**
 * Makes a container's directory, and locks it for as long as the descriptor is open.
 * @throws {Error} `container with given ID already exists`
 */
export function claimDirectory(root: string, id: string): Fd {
  assertTrusted(root);
  const directory = containerDirectory(root, id);
  try {
    makeDirectoryIn(root, directory);
  } catch (error) {
    if (hasErrno(error, "EEXIST")) throw new Error(`container with given ID already exists: ${id}`);
    const { message } = error as Error;
    throw new Error(`cannot keep a container's state below ${root} (--root names another place): ${message}`);
  }
  let lock: Fd | null;
  try {
    lock = lockDirectory(root, id);
  } catch (error) {
    // It is empty, and takes no descriptor to remove, of which there may be none left.
    syscall("unlinkat", AT_FDCWD, directory, AT.REMOVEDIR);
    throw error;
  }
  if (lock === null) throw new Error(`container ${id} was deleted while it was being created`);
  return lock;
}

function makeDirectoryIn(root: string, directory: string): void {
  const MODE = 0o711;
  try {
    mkdir(directory, MODE);
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
    // The first container of all.
    mkdirAll(root, MODE);
    mkdir(directory, MODE);
  }
}

/** How long a command waits for another one that works on the same container, in milliseconds. */
const PATIENCE = 10_000;

/**
 * Waits until no other command works on the container, and keeps others out.
 * @param whenBusy what to do before waiting, when another command has it
 * @returns the lock, or `null` when there is no such container (any more)
 * @throws {Error} when the other command does not end in time: it may be waiting for us, if we are a hook of it
 * @see flock(2)
 */
export function lockDirectory(root: string, id: string, whenBusy: () => void = () => {}): Fd | null {
  assertTrusted(root);
  const directory = containerDirectory(root, id);
  let lock: Fd;
  try {
    // What a symlink leads to is another container's, or nobody's.
    lock = open(directory, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR", "ELOOP")) return null;
    throw error;
  }
  assertTrusted(directory, fstat(lock.number));
  waitForLock(lock, id, whenBusy);
  // Whoever held the lock may have deleted the directory, and another container may have its name now.
  if (isThere(lock)) return lock;
  lock.close();
  return lockDirectory(root, id);
}

/** Lets other commands work on the container; {@link lockAgain} keeps them out once more. */
export function unlock(lock: Fd): void {
  unlockFile(lock);
}

/**
 * Locks a container again that was locked before.
 * @returns false when it has been deleted: its name may be another container's by now
 * @throws {Error} as {@link lockDirectory}
 */
export function lockAgain(lock: Fd, id: string): boolean {
  waitForLock(lock, id, () => {});
  return isThere(lock);
}

/** Whether a directory has not been removed since it was opened. */
function isThere(directory: Fd): boolean {
  return fstat(directory.number).links > 0;
}

function waitForLock(lock: Fd, id: string, whenBusy: () => void): void {
  const { EAGAIN, EINTR } = ERRNO;
  const deadline = monotonicTime() + PATIENCE;
  for (let delay = 0; ; delay = Math.min(delay * 2, 50)) {
    const result = flockNow(lock, "exclusive");
    if (result !== -EAGAIN && result !== -EINTR) return void succeeded(result, () => `lock container ${id}`);
    if (delay === 0) {
      whenBusy();
      delay = 1;
    }
    if (monotonicTime() > deadline) {
      lock.close();
      throw new Error(
        `container ${id} is in use: another command works on it (is this command run by one of its hooks?)`,
      );
    }
    poll([], delay);
  }
}

/** Whether some command works on the container now. A container that is not complete without that has lost its creator. */
export function isLocked(root: string, id: string): boolean {
  using directory = open(containerDirectory(root, id), O.RDONLY | O.DIRECTORY);
  // Shared: others who ask the same are no commands that work on it.
  return flockNow(directory, "shared") < 0;
}
