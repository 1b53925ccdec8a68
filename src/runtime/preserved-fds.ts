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
  const activated = activatedDescriptors(process.env);
  for (let index = 0; index < requested; index++) {
    const fd = 3 + activated + index;
    if (!isOpen(fd))
      throw new Error(
        `--preserve-fds ${requested}: unable to stat preserved-fd ${index}: descriptor ${fd} is not open`,
      );
  }
  return { preserved: activated + requested, activated };
}

/** How many descriptors `LISTEN_FDS` announces to this process. Without `LISTEN_PID` they are for whoever is told, as with crun. */
function activatedDescriptors({
  LISTEN_FDS: count,
  LISTEN_PID: addressee,
}: Record<string, string | undefined>): number {
  if (count === undefined || (addressee !== undefined && addressee !== String(process.pid))) return 0;
  return Number(count) || 0;
}

/** Whether the caller passed a descriptor; the engine's own event descriptors, which take free numbers, do not count. */
function isOpen(fd: number): boolean {
  try {
    return !/^anon_inode:\[(eventpoll|eventfd|timerfd)\]$/.test(readLink(`/proc/self/fd/${fd}`));
  } catch {
    return false;
  }
}
