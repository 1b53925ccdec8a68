/** `state`: the container's state document, with what runc adds to it. */

import type { State } from "../config/types.ts";
import { hasErrno } from "../sys/error.ts";
import { readText } from "../sys/file.ts";
import type { Context } from "./options.ts";
import { containerStatus, stateDocument } from "./status.ts";
import { type Container, containerIds, findContainer, loadContainer } from "./store.ts";

/** What `state` and `list` print of a container: the spec's document and runc's further fields. */
export interface ContainerState extends State {
  rootfs: string;
  /** RFC 3339, UTC. */
  created: string;
  /** Name of the user who made it, or the uid where it has none. */
  owner: string;
}

/** @throws {NoSuchContainerError} */
export function containerState(context: Context, id: string): ContainerState {
  return describe(context, loadContainer(context.root, id));
}

/** All containers below the root; those whose state cannot be read are warned of. */
export function listContainers(context: Context): ContainerState[] {
  return containerIds(context.root).flatMap((id) => {
    try {
      const container = findContainer(context.root, id);
      return container === null ? [] : [describe(context, container)];
    } catch (error) {
      // It may be deleted while we read: then it is not there.
      if (!hasErrno(error, "ENOENT")) context.log.warn(`container ${id}: ${(error as Error).message}`);
      return [];
    }
  });
}

function describe(context: Context, container: Container): ContainerState {
  const status = containerStatus(context.root, container);
  return {
    ...stateDocument(container, status),
    rootfs: container.rootfs,
    created: container.created,
    owner: ownerName(container.owner),
  };
}

/** The name of a user on this machine, or the uid where it has none. */
function ownerName(uid: number): string {
  if (uid === 0) return "root";
  const line = readText("/etc/passwd")
    .split("\n")
    .find((entry) => entry.split(":")[2] === String(uid));
  return line?.split(":")[0] ?? `#${uid}`;
}
