/** Which namespaces another process in a container joins. */

import type { NamespaceType, Spec } from "../config/types.ts";
import { hasErrno } from "../sys/error.ts";
import type { Fd } from "../sys/fd.ts";
import { NAMESPACE_FILES } from "../sys/namespace.ts";
import { livingThread, pidfdOpen, pidfdOpenThread } from "../sys/process.ts";
import { stat } from "../sys/stat.ts";

/** What another process of a container gets from one that lives in it. */
export interface Joined extends Disposable {
  /** A thread of the container's first process. */
  tid: number;
  /** The same, named for good: it cannot become another's while it is used. */
  pidfd: Fd;
  types: NamespaceType[];
}

/**
 * Opens the way into the namespaces of a running container.
 * @param init pid of its first process
 * @throws {Error} when that has threads but the first, on a kernel that joins the namespaces of no other thread
 */
export function openNamespaces(init: number, spec: Spec): Joined {
  const tid = livingThread(init);
  const pidfd = tid === init ? pidfdOpen(init) : openThread(init, tid);
  return { tid, pidfd, types: namespacesToJoin(tid, spec), [Symbol.dispose]: () => pidfd.close() };
}

function openThread(init: number, tid: number): Fd {
  try {
    return pidfdOpenThread(tid);
  } catch (error) {
    if (!hasErrno(error, "EINVAL")) throw error;
    throw new Error(`the main thread of the container's process ${init} has ended: to join others takes Linux 6.9`);
  }
}

/**
 * The container's namespaces, but for those that are our own: a user namespace cannot be joined from within itself. An ordinary user's container
 * may be in one that it has not made, that of `tsrunc image run`: without the rights that come with it none of the others can be joined.
 */
function namespacesToJoin(pid: number, spec: Spec): NamespaceType[] {
  const isOther = namespaceId(pid, "user") !== namespaceId("self", "user");
  const types = (spec.linux?.namespaces ?? []).map(({ type }) => type).filter((type) => type !== "user");
  const hasOwn = types.length < (spec.linux?.namespaces ?? []).length;
  return isOther && (hasOwn || process.geteuid?.() !== 0) ? ["user", ...types] : types;
}

function namespaceId(pid: number | "self", type: NamespaceType): bigint {
  return stat(`/proc/${pid}/ns/${NAMESPACE_FILES[type]}`).ino;
}
