/** `ps`: the processes of a container. */
import { openCgroup } from "../cgroup/manager.ts";
import type { Context } from "./options.ts";
import { isAlive } from "./status.ts";
import { loadContainer } from "./store.ts";

/**
 * The pids of a container's processes, as this machine sees them; without a cgroup, the init's alone.
 * @throws {NoSuchContainerError}
 */
export function containerProcesses(context: Context, id: string): number[] {
  const container = loadContainer(context.root, id);
  const cgroup = openCgroup(container.cgroup);
  if (cgroup.exists()) return cgroup.pids({ recursive: true });
  return isAlive(container.init) ? [container.init.pid] : [];
}
