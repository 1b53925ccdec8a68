/** Containers that share a cgroup: one may be made in it as soon as the one before has stopped. */
import { type Cgroup, openCgroup } from "../cgroup/manager.ts";
import type { Context } from "./options.ts";
import { isAlive } from "./status.ts";
import { containerIds, findContainer } from "./store.ts";

/** Whether a container other than the one of this id lives in its cgroup. */
export function livesElsewhere({ root, log }: Context, id: string, cgroup: Cgroup): boolean {
  if (cgroup.pids({ recursive: true }).length === 0) return false;
  const directories = new Set(Object.values(cgroup.paths()));
  return containerIds(root).some((other) => {
    if (other === id) return false;
    try {
      const container = findContainer(root, other);
      if (container === null || !isAlive(container.init)) return false;
      return Object.values(openCgroup(container.cgroup).paths()).some((directory) => directories.has(directory));
    } catch (error) {
      // Of one that cannot be read nobody knows whether it is here: better what is left than another's end.
      log.warn(`container ${other}: ${(error as Error).message}`);
      return true;
    }
  });
}
