/** The descriptors that the caller left open for the container's process. */
import { FIRST_FD } from "./fd.ts";
import { syscall } from "./ffi.ts";
import { readLink } from "./file.ts";

let count = 0;

/**
 * Notes them: to be called at the beginning of a command, before this process opens descriptors of its own. Asked later, a log
 * file, a socket or a directory of the host could pass for the caller's under its number.
 */
export function noteInherited(): void {
  const F_GETFD = 1;
  count = 0;
  while (syscall("fcntl", FIRST_FD + count, F_GETFD, 0) >= 0 && !isEvent(FIRST_FD + count)) count++;
}

/** How many descriptors from 3 on, without a gap, the caller left open. */
export function inheritedCount(): number {
  return count;
}

/**
 * Whether the caller left a descriptor open. To be asked before this process opens any of its own but for its log, which has the first number that
 * was free.
 */
export function isInherited(fd: number): boolean {
  const F_GETFD = 1;
  const free = FIRST_FD + count;
  return fd < free || (fd > free && syscall("fcntl", fd, F_GETFD, 0) >= 0 && !isEvent(fd));
}

/** Whether a descriptor is likely the engine's own, which are events and take free numbers. */
function isEvent(fd: number): boolean {
  return /^anon_inode:\[(eventpoll|eventfd|timerfd)\]$/.test(readLink(`/proc/self/fd/${fd}`));
}
