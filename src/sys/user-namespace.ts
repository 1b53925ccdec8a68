/** User namespaces that exist for their id maps only. */

import { orNull } from "./error.ts";
import { type Fd, O, open } from "./fd.ts";
import { readLink, writeFile } from "./file.ts";
import { NAMESPACE_FLAGS } from "./namespace.ts";
import { exit, fork, sendSignal, waitPid } from "./process.ts";
import { receiveMessage, socketpair } from "./socket.ts";

const SIGKILL = 9;

/**
 * Whether this process is in a user namespace other than the initial one. Its id map does not tell: another one may map each id to itself, as
 * systemd's `PrivateUsers=full` has it.
 * @see linux/include/linux/proc_ns.h, PROC_USER_INIT_INO
 */
export function inUserNamespace(): boolean {
  const INITIAL = "user:[4026531837]";
  const own = orNull(() => readLink("/proc/self/ns/user"));
  // A kernel without user namespaces has no such file.
  return own !== null && own !== INITIAL;
}

/** One line of an id map. */
export interface IdRange {
  /** First id inside the namespace. */
  containerID: number;
  /** First id outside. */
  hostID: number;
  size: number;
}

/**
 * Makes a user namespace with id maps and no processes: to be named to `mount_setattr(2)` as the mapping of a mount.
 * @throws {SyscallError} `clone3`, or Node's errors of writing the maps: EINVAL for maps that overlap
 * @throws {Error} when this process has more than one thread
 * @see user_namespaces(7), "User and group ID mappings"
 */
export function userNamespaceWithMaps(uid: readonly IdRange[], gid: readonly IdRange[]): Fd {
  const [ours, theirs] = socketpair();
  using _ = ours;
  const pid = fork({ flags: BigInt(NAMESPACE_FLAGS.user) });
  if (pid === 0) {
    // Lives until the parent has what it wants, or dies.
    ours.close();
    receiveMessage(theirs.number);
    exit(0);
  }
  theirs.close();
  try {
    writeFile(`/proc/${pid}/uid_map`, mapText(uid));
    writeFile(`/proc/${pid}/gid_map`, mapText(gid));
    return open(`/proc/${pid}/ns/user`, O.RDONLY);
  } finally {
    sendSignal(pid, SIGKILL);
    waitPid(pid);
  }
}

function mapText(maps: readonly IdRange[]): string {
  return maps.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");
}
