/** Namespaces that a container was given by path: they are not its own, so CRIU is to leave their contents alone, and join them again. */
import type { Namespace, NamespaceType, Spec } from "../config/types.ts";
import { NAMESPACE_FILES } from "../sys/namespace.ts";

/** A namespace that CRIU keeps out of the images, and gets open when it restores. */
export interface ExternalNamespace {
  type: "network" | "pid";
  path: string;
}

/** Those of a network or a pid namespace by path. */
export function externalNamespaces(spec: Spec): ExternalNamespace[] {
  return withPath(spec).flatMap(({ type, path }) => (type === "network" || type === "pid" ? [{ type, path }] : []));
}

/** The others, that CRIU joins by path. */
export function joinedNamespaces(spec: Spec): { ns: string; ns_file: string }[] {
  return withPath(spec)
    .filter(({ type }) => type !== "network" && type !== "pid")
    .map(({ type, path }) => ({ ns: NAMESPACE_FILES[type], ns_file: path }));
}

/**
 * Refuses what CRIU has no means to restore: before a container is dumped, since that ends it.
 * @throws {Error} with the JSON pointer
 */
export function checkRestorable(spec: Spec): void {
  const namespaces = spec.linux?.namespaces ?? [];
  if (!namespaces.some(({ type }) => type === "mount")) {
    throw new Error("/linux/namespaces: CRIU cannot restore a container without a mount namespace of its own");
  }
  namespaces.forEach(({ type, path }, index) => {
    if (!path || (type !== "cgroup" && type !== "mount")) return;
    throw new Error(
      `/linux/namespaces/${index}: CRIU cannot restore a container into a ${type} namespace given by path (${path})`,
    );
  });
  (spec.mounts ?? []).forEach(({ destination, uidMappings, gidMappings, options = [] }, index) => {
    const idmapped =
      uidMappings !== undefined || gidMappings !== undefined || options.some((one) => /^r?idmap(=|$)/.test(one));
    if (idmapped) throw new Error(`/mounts/${index}: CRIU cannot restore the id-mapped mount on ${destination}`);
  });
}

/** By which name CRIU knows a namespace in the images; runc has the same. */
export function keyOf(type: ExternalNamespace["type"]): string {
  return type === "network" ? "extRootNetNS" : "extRootPidNS";
}

/** How a namespace is marked when it is dumped: by its inode. */
export function markOf(type: ExternalNamespace["type"], inode: number | bigint): string {
  return `${NAMESPACE_FILES[type]}[${inode}]:${keyOf(type)}`;
}

function withPath({ linux = {} }: Spec): (Namespace & { type: NamespaceType; path: string })[] {
  return (linux.namespaces ?? []).flatMap(({ type, path }) => (path ? [{ type, path }] : []));
}
