/** Which namespaces another process in a container joins. */

import type { NamespaceType, Spec } from "../config/types.ts";
import { NAMESPACE_FILES } from "../sys/namespace.ts";
import { stat } from "../sys/stat.ts";

/** The container's namespaces, but for those that are our own: a user namespace cannot be joined from within itself. */
export function namespacesToJoin(pid: number, spec: Spec): NamespaceType[] {
  const types = (spec.linux?.namespaces ?? []).map(({ type }) => type);
  return types.filter((type) => type !== "user" || namespaceId(pid, "user") !== namespaceId("self", "user"));
}

function namespaceId(pid: number | "self", type: NamespaceType): bigint {
  return stat(`/proc/${pid}/ns/${NAMESPACE_FILES[type]}`).ino;
}
