/** Closing what is not this process's own. */
import { type Fd, FIRST_FD } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";

/**
 * Closes every descriptor behind those that the process will have, but some.
 *
 * Not only close-on-exec: a created container may wait long, and whoever reads from a pipe of the caller's would wait with
 * it; and a path of the container's could lead through a descriptor of the host's (CVE-2024-21626).
 *
 * @param passed how many descriptors from 3 on are the process's
 */
export function closeDescriptors(passed: number, kept: Iterable<Fd | null | undefined>): void {
  const first = FIRST_FD + passed;
  const numbers = [...kept].map((fd) => fd?.number ?? -1).filter((number) => number >= first);
  numbers.sort((a, b) => a - b);
  let from = first;
  for (const fd of numbers) {
    if (fd > from) syscall("close_range", from, fd - 1, 0);
    from = fd + 1;
  }
  syscall("close_range", from, 0xffffffff, 0);
}
