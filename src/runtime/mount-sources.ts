/** What the parent opens for the init's mounts, before it forks: what the init may not open, or not do, itself. */
import type { IdMappingSource, SourceStep } from "../plan/mounts.ts";
import type { OfKind } from "../plan/step.ts";
import { hasErrno } from "../sys/error.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import { mountSetAttributes, openTree } from "../sys/mount.ts";
import { userNamespaceWithMaps } from "../sys/user-namespace.ts";

/**
 * Opens what one source step asks for.
 * @returns `null` when it cannot be opened and the init is to try by itself
 * @throws {SyscallError}
 */
export function openSource(step: SourceStep): Fd | null {
  return step.kind === "id-mapping" ? openMapping(step.mapping) : openMountSource(step);
}

function openMapping(mapping: IdMappingSource): Fd {
  if (mapping.from === "namespace") return open(mapping.path, O.RDONLY);
  return userNamespaceWithMaps(mapping.uid, mapping.gid);
}

function openMountSource(step: OfKind<SourceStep, "open-source">): Fd | null {
  let tree: Fd;
  try {
    tree = openTree(step.source, { clone: true, recursive: step.tree });
  } catch (error) {
    if (step.optional && hasErrno(error, "ENOENT", "EACCES", "EPERM", "EINVAL")) return null;
    throw error;
  }
  // What the host mounts below the source later may come in, nothing may go out: as it is for all the init's mounts.
  if (!step.shared) mountSetAttributes(tree, { propagation: "slave", recursive: true });
  if (step.idmap !== null) {
    using idmap = openMapping(step.idmap.mapping);
    mountSetAttributes(tree, { idmap, recursive: step.idmap.recursive });
  }
  return tree;
}
