/** The descriptors that a container's process inherits besides its stdio. */
import { readLink } from "../sys/file.ts";

/** How many descriptors from 3 on are inherited: all of them, and those that came by socket activation (the first). */
export interface PreservedFds {
  preserved: number;
  activated: number;
}

/**
 * Counts the descriptors to inherit.
 * @param requested `--preserve-fds`
 * @throws {Error} when the caller left one of them closed
 * @see sd_listen_fds(3)
 */
export function preservedDescriptors(requested: number): PreservedFds {
  const activated = process.env["LISTEN_PID"] === String(process.pid) ? Number(process.env["LISTEN_FDS"]) || 0 : 0;
  for (let index = 0; index < requested; index++) {
    const fd = 3 + activated + index;
    if (!isOpen(fd))
      throw new Error(
        `--preserve-fds ${requested}: unable to stat preserved-fd ${index}: descriptor ${fd} is not open`,
      );
  }
  return { preserved: activated + requested, activated };
}

/** Whether the caller passed a descriptor; the engine's own event descriptors, which take free numbers, do not count. */
function isOpen(fd: number): boolean {
  try {
    return !/^anon_inode:\[(eventpoll|eventfd|timerfd)\]$/.test(readLink(`/proc/self/fd/${fd}`));
  } catch {
    return false;
  }
}
