/** Bringing a process into a container's cgroups: one about to be forked, or one that runs. */

import { writeCgroupFile } from "../sys/cgroupfs.ts";
import { hasErrno } from "../sys/error.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import { join } from "../sys/path-names.ts";
import { CgroupDescriptors, type CgroupTasksFile, Entrance, type StartingPlace } from "./entrance.ts";
import { readOwnCgroups } from "./layout.ts";
import type { CgroupHierarchy } from "./plan.ts";
import { type SubCgroups, withSubCgroups } from "./sub-cgroups.ts";

/** Where another process of a running container goes. */
export interface ExecTarget {
  /** From `parseSubCgroups`. */
  sub: SubCgroups;
  /** The container's first process: on v2, its cgroup serves when the container's own takes no processes any more. */
  initPid: number | null;
}

/** A container's hierarchies, and which of them a process may fail to join. */
export interface Joinable {
  hierarchies: readonly CgroupHierarchy[];
  isOptional(hierarchy: CgroupHierarchy): boolean;
  /**
   * Asks systemd, for a unit's cgroup on v2, to move a process there, which it may where we may not: a user's manager is no ancestor of
   * a login session. `null` for cgroups that are not systemd's.
   * @param path absolute, of the cgroup
   */
  attach: ((pid: number, path: string) => void) | null;
}

/** @throws {Error} "error adding pid" */
export function openEntrance(joinable: Joinable, exec: ExecTarget): Entrance {
  let place: StartingPlace | null = null;
  openEach(joinable, exec, 2, (target, optional) => {
    place = openPlace(target, exec, optional, joinable.attach);
  });
  return new Entrance(place);
}

/** @throws {Error} "error adding pid" */
export function openTasks(joinable: Joinable, exec: ExecTarget): CgroupDescriptors {
  const files: CgroupTasksFile[] = [];
  const tasks: Fd[] = [];
  openEach(joinable, exec, 1, ({ directory: path }, optional) => {
    tasks.push(open(`${path}/tasks`, O.WRONLY));
    files.push({ path, optional });
  });
  return new CgroupDescriptors(files, tasks);
}

/** Opens what is needed of each hierarchy of a version. One that may be left out is, where that fails. */
function openEach(
  { hierarchies, isOptional }: Joinable,
  exec: ExecTarget,
  version: 1 | 2,
  open: (target: CgroupHierarchy, optional: boolean) => void,
): void {
  for (const target of withSubCgroups(hierarchies, exec.sub)) {
    if (target.version !== version) continue;
    const optional = isOptional(target);
    try {
      open(target, optional);
    } catch (error) {
      if (!optional || isNamed(target, exec)) throw joinError("0 (the new process)", error);
    }
  }
}

/** Writes the pid to each `cgroup.procs`. @throws {Error} "error adding pid" */
export function joinAll({ hierarchies, isOptional, attach }: Joinable, pid: number, exec: ExecTarget): void {
  for (const target of withSubCgroups(hierarchies, exec.sub)) {
    try {
      joinOne(target, pid, exec, attach);
    } catch (error) {
      if (!isOptional(target) || isNamed(target, exec)) throw joinError(String(pid), error);
    }
  }
}

function joinOne(target: CgroupHierarchy, pid: number, exec: ExecTarget, attach: Joinable["attach"]): void {
  try {
    writeCgroupFile(target.directory, "cgroup.procs", String(pid));
  } catch (error) {
    if (attach !== null && target.version === 2 && hasErrno(error, "EACCES", "EPERM")) {
      return attachTo(target, exec, attach)(pid);
    }
    const other = cgroupOfInit(target, exec);
    if (other === null) throw error;
    writeCgroupFile(other, "cgroup.procs", String(pid));
  }
}

/** Moves a process into a cgroup, or, when that takes none, into that of the container's first process. */
function attachTo(target: CgroupHierarchy, exec: ExecTarget, attach: NonNullable<Joinable["attach"]>) {
  return (pid: number): void => {
    try {
      attach(pid, target.directory);
    } catch (error) {
      const other = cgroupOfInit(target, exec);
      if (other === null || other === target.directory) throw joinError(String(pid), error);
      attach(pid, other);
    }
  };
}

function openPlace(
  target: CgroupHierarchy,
  exec: ExecTarget,
  optional: boolean,
  attach: Joinable["attach"],
): StartingPlace {
  const otherwise = (): Fd | null => {
    const other = cgroupOfInit(target, exec);
    return other === null ? null : open(other, O.RDONLY | O.DIRECTORY);
  };
  try {
    return {
      directory: open(target.directory, O.RDONLY | O.DIRECTORY),
      optional,
      otherwise,
      attach: attach === null ? null : attachTo(target, exec, attach),
    };
  } catch (error) {
    const directory = hasErrno(error, "ENOENT") ? otherwise() : null;
    if (directory === null) throw error;
    return { directory, optional, otherwise: () => null, attach: null };
  }
}

/**
 * The cgroup that the container's first process has moved to. On v2 a cgroup that has enabled controllers for those
 * below it takes no processes; and the container's own may be gone.
 */
function cgroupOfInit({ version, mountPoint, controllers }: CgroupHierarchy, exec: ExecTarget): string | null {
  if (version !== 2 || controllers.length > 0 || exec.sub.size > 0 || exec.initPid === null) return null;
  try {
    const path = readOwnCgroups(exec.initPid).get("");
    return path === undefined ? null : join(mountPoint, path);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH")) return null;
    throw error;
  }
}

/** Whether `--cgroup` asks for this hierarchy: then failing to join it is an error in any case. */
function isNamed({ controllers }: CgroupHierarchy, { sub }: ExecTarget): boolean {
  return sub.has("") || controllers.some((controller) => sub.has(controller));
}

function joinError(pid: string, error: unknown): Error {
  return new Error(`error adding pid ${pid} to cgroups: ${(error as Error).message}`, { cause: error });
}
