/** Giving a v2 cgroup to a user. */

import { check, hasErrno } from "../sys/error.ts";
import { AT, type Fd, O, open } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { readText } from "../sys/file.ts";

/** Where the kernel lists what a user may be given, since Linux 4.15. @see cgroups(7), "/sys/kernel/cgroup/delegate" */
const LIST = "/sys/kernel/cgroup/delegate";
/** What was always safe to give. */
const ALWAYS = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];

/** The owner alone changes. */
const SAME = -1;

/**
 * Makes a user the owner of a cgroup and of the files in it that the kernel lists. Those that are not in this one are passed over.
 * @param directory absolute path of a v2 cgroup
 * @throws {SyscallError}
 */
export function delegateCgroup(directory: string, uid: number): void {
  using cgroup = open(directory, O.PATH | O.DIRECTORY);
  chown(cgroup, "", uid, directory);
  for (const name of delegated()) {
    try {
      chown(cgroup, name, uid, `${directory}/${name}`);
    } catch (error) {
      if (!hasErrno(error, "ENOENT")) throw error;
    }
  }
}

function chown(cgroup: Fd, name: string, uid: number, what: string): void {
  const flags = AT.SYMLINK_NOFOLLOW | (name === "" ? AT.EMPTY_PATH : 0);
  check(syscall("fchownat", cgroup.number, name, uid, SAME, flags), () => `chown ${what}`);
}

function delegated(): string[] {
  try {
    return readText(LIST)
      .split("\n")
      .filter((name) => name !== "" && !name.includes("/"));
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return ALWAYS;
    throw error;
  }
}
