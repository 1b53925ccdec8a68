/** The descriptors that a container's process inherits besides its stdio. */
import { FIRST_FD } from "../sys/fd.ts";
import { inheritedCount } from "../sys/inherited-fds.ts";

/** How many descriptors from 3 on are inherited: all of them, and those that came by socket activation (the first). */
export interface PreservedFds {
  preserved: number;
  activated: number;
}

/**
 * Counts the descriptors to inherit.
 * @param requested `--preserve-fds`
 * @throws {Error} when the caller left one of them closed, or `LISTEN_FDS` is no number
 * @see sd_listen_fds(3)
 */
export function preservedDescriptors(requested: number): PreservedFds {
  const activated = activatedDescriptors(process.env);
  const open = inheritedCount();
  if (activated > open) {
    throw new Error(`LISTEN_FDS=${activated}: descriptor ${FIRST_FD + open} is not open`);
  }
  if (activated + requested > open) {
    const [index, fd] = [open - activated, FIRST_FD + open];
    throw new Error(`--preserve-fds ${requested}: unable to stat preserved-fd ${index}: descriptor ${fd} is not open`);
  }
  return { preserved: activated + requested, activated };
}

/** How many descriptors `LISTEN_FDS` announces to this process. Without `LISTEN_PID` they are for whoever is told, as with crun. */
function activatedDescriptors({
  LISTEN_FDS: count = "",
  LISTEN_PID: addressee,
}: Record<string, string | undefined>): number {
  if (count === "" || (addressee !== undefined && addressee !== String(process.pid))) return 0;
  // Not all that JavaScript takes for a number: `0x5`, `1e9`, ` 3`.
  if (!/^[0-9]{1,9}$/.test(count)) {
    throw new Error(`LISTEN_FDS=${count}: expected the number of descriptors passed from ${FIRST_FD} on`);
  }
  return Number(count);
}
