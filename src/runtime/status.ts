/** What a container is doing, derived from its process each time it is asked for. */

import { openCgroup } from "../cgroup/manager.ts";
import type { State, Status } from "../config/types.ts";
import { exists } from "../sys/file.ts";
import { join } from "../sys/path-names.ts";
import { hasEnded, processStat } from "../sys/process.ts";
import { isLocked } from "./container-lock.ts";
import { type Container, containerDirectory, type ProcessIdentity, START_FIFO } from "./store.ts";

/** Whether the process that is meant still lives, or one of its threads; a zombie does not. */
export function isAlive(process: ProcessIdentity | null): process is ProcessIdentity {
  if (process === null) return false;
  const stat = processStat(process.pid);
  return stat !== null && stat.startTime === process.startTime && !hasEnded(stat);
}

/** @see runtime-spec, runtime.md, "State" */
export function containerStatus(root: string, container: Container): Status {
  if (!isAlive(container.init)) {
    const dead = container.complete || container.init !== null || !isLocked(root, container.id);
    return dead ? "stopped" : "creating";
  }
  if (!container.complete) return "creating";
  if (openCgroup(container.cgroup).isFrozen()) return "paused";
  return exists(join(containerDirectory(root, container.id), START_FIFO)) ? "created" : "running";
}

/** The state document of the spec: what hooks read on their stdin. */
export function stateDocument(container: Container, status: Status): State {
  return {
    ociVersion: container.ociVersion,
    id: container.id,
    status,
    pid: status === "stopped" ? 0 : (container.init?.pid ?? 0),
    bundle: container.bundle,
    annotations: container.annotations,
  };
}
