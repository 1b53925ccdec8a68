/** That the kernel kills in a cgroup for want of memory: how often, and when. */

import { readCgroupFile, writeCgroupFile } from "../sys/cgroupfs.ts";
import { check } from "../sys/error.ts";
import { Fd, O, open } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { POLL } from "../sys/poll.ts";
import type { CgroupHierarchy } from "./plan.ts";

/**
 * Counts the OOM kills in a container's memory cgroup; 0 where there is none, or where that cannot be told: whoever asks has a failure
 * to explain, and the same may be why the count cannot be read. `oom_kill` counts those that the limit of an ancestor caused, too.
 * @see linux/Documentation/admin-guide/cgroup-v1/memory.rst (memory.oom_control), cgroup-v2.rst (memory.events)
 */
export function oomKills(memory: CgroupHierarchy | undefined): number {
  if (memory === undefined) return 0;
  try {
    const text = readCgroupFile(memory.directory, memory.version === 1 ? "memory.oom_control" : "memory.events");
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** Tells when there may be one more: poll(2) for `events`, then {@link acknowledge}. */
export class OomWatch implements Disposable {
  readonly #descriptors: readonly Fd[];

  private constructor(
    readonly fd: number,
    readonly events: number,
    descriptors: readonly Fd[],
  ) {
    this.#descriptors = descriptors;
  }

  /** @throws {SyscallError} where the kernel does not tell */
  static open({ version, directory }: CgroupHierarchy): OomWatch {
    if (version === 2) {
      // A change of a cgroup v2 file is told to whoever has read it, as an urgent event.
      const file = open(`${directory}/memory.events`, O.RDONLY);
      const watch = new OomWatch(file.number, POLL.PRI, [file]);
      watch.acknowledge();
      return watch;
    }
    const EFD_CLOEXEC = 0o2000000;
    const event = new Fd(check(syscall("eventfd", 0, EFD_CLOEXEC), "eventfd"));
    const control = open(`${directory}/memory.oom_control`, O.RDONLY);
    writeCgroupFile(directory, "cgroup.event_control", `${event.number} ${control.number}`);
    return new OomWatch(event.number, POLL.IN, [event, control]);
  }

  /** Makes {@link fd} quiet until the next time. */
  acknowledge(): void {
    if (this.events === POLL.PRI) syscall("lseek", this.fd, 0, 0);
    syscall("read", this.fd, new Uint8Array(4096), 4096);
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#descriptors) descriptor.close();
  }
}
