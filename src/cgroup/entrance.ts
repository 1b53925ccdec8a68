/**
 * The ways of a forked process into its cgroups that cost no waiting.
 *
 * A pid written to `cgroup.procs` moves a process that may be forking or exiting meanwhile, so the kernel first waits for
 * every CPU to pass a quiet state: 5 to 20 ms on an idle machine, more than the rest of a container's start. Two ways
 * need no such wait: `CLONE_INTO_CGROUP` starts the process in its v2 cgroup (Linux 5.7), and a thread that writes 0 to
 * `tasks` of a v1 cgroup moves itself alone, which is all there is of a process of one thread.
 *
 * The descriptors are opened by the parent, with its rights: the kernel checks those, not the writer's.
 * @see linux/kernel/cgroup/cgroup.c, cgroup_procs_write_start
 */

import { writeText } from "../sys/cgroupfs.ts";
import { check, hasErrno, SyscallError } from "../sys/error.ts";
import type { Fd } from "../sys/fd.ts";
import { type ForkOptions, fork } from "../sys/process.ts";

/** A v1 cgroup to enter, by its file `tasks`, which the parent has opened for writing. */
export interface CgroupTasksFile {
  path: string;
  /** Whether failing is none to speak of: a hierarchy without limits, or a runtime without privilege. */
  optional: boolean;
}

/** The v2 cgroup to be started in. */
export interface StartingPlace {
  directory: Fd;
  optional: boolean;
  /** Another place, when the kernel lets nobody start in the first. */
  otherwise: () => Fd | null;
  /** Has a running process moved there by somebody who may, when we may not; `null` when there is nobody to ask. @throws {Error} */
  attach: ((pid: number) => void) | null;
}

/** The v1 cgroups, opened for one process: a descriptor for each. See `Cgroup.openTasks`. */
export class CgroupDescriptors implements Disposable {
  constructor(
    readonly files: readonly CgroupTasksFile[],
    readonly tasks: readonly Fd[],
  ) {}

  /**
   * This process enters, and closes the descriptors.
   * @throws {SyscallError} with the cgroup's path
   */
  enter(): void {
    this.files.forEach(({ path, optional }, index) => {
      const result = writeText((this.tasks[index] as Fd).number, "0");
      if (!optional) check(result, () => `enter cgroup ${path}`);
    });
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const fd of this.tasks) fd.close();
  }
}

/** What a process is forked by, see `Cgroup.entrance`. */
export class Entrance implements Disposable {
  #isOutside = false;

  constructor(private readonly place: StartingPlace | null) {}

  /**
   * Forks, into the v2 cgroup if there is one. What was forked waits until {@link settle}.
   * @returns as `fork` does
   * @throws {SyscallError} `clone3`: EBUSY when the cgroup has controllers enabled for cgroups below it, EACCES without the right
   */
  fork(options: Omit<ForkOptions, "cgroup"> = {}): number {
    if (this.place === null) return fork(options);
    const { directory, optional, otherwise, attach } = this.place;
    try {
      return fork({ ...options, cgroup: directory.number });
    } catch (error) {
      if (!hasErrno(error, "EBUSY", "EACCES", "EOPNOTSUPP", "ENODEV", "EAGAIN")) throw error;
      if (attach !== null && hasErrno(error, "EACCES")) {
        this.#isOutside = true;
        return fork(options);
      }
      using other = otherwise();
      if (other !== null) return fork({ ...options, cgroup: other.number });
      if (optional) return fork(options);
      throw new SyscallError("error adding pid 0 (the new process) to cgroups: clone3", (error as SyscallError).errno);
    }
  }

  /** Has a process that could not be born in its cgroup moved there. @throws {Error} "error adding pid" */
  settle(pid: number): void {
    if (this.#isOutside) this.place?.attach?.(pid);
  }

  /** Closes the descriptor; parent and child each have their own. */
  [Symbol.dispose](): void {
    this.place?.directory.close();
  }
}
