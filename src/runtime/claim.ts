/** Takes an id for a container that is about to be made. */
import { type Cgroup, openCgroup } from "../cgroup/manager.ts";
import type { Fd } from "../sys/fd.ts";
import { claimDirectory } from "./container-lock.ts";
import { type Container, removeDirectory } from "./store.ts";

/** An id that nobody else can have now. */
export interface Claim {
  cgroup: Cgroup;
  /** Held until this is closed: no other command works on the container meanwhile. */
  lock: Fd;
}

/**
 * Makes the container's directory, and sees that its cgroup is nobody's: before the state says that it is ours, since what is cleared later must
 * not be another container's.
 * @param beforeClearing frees what the removal of the directory may need
 * @throws {Error} when there is a container of this id, or the cgroup is in use; nothing is left behind then
 */
export function claimContainer(root: string, container: Container, beforeClearing: () => void = () => {}): Claim {
  const lock = claimDirectory(root, container.id);
  try {
    const cgroup = openCgroup(container.cgroup);
    cgroup.assertUnused();
    return { cgroup, lock };
  } catch (error) {
    beforeClearing();
    removeDirectory(root, container.id);
    lock.close();
    throw error;
  }
}
