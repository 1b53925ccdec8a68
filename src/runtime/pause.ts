/** `pause` and `resume`: the freezer of the container's cgroup. */
import { type Cgroup, openCgroup } from "../cgroup/manager.ts";
import type { Status } from "../config/types.ts";
import { lockDirectory } from "./container-lock.ts";
import type { Context } from "./options.ts";
import { containerStatus } from "./status.ts";
import { loadContainer, NoSuchContainerError } from "./store.ts";

/** @throws {Error} `container not running` */
export function pauseContainer(context: Context, id: string): void {
  withContainer(context, id, (cgroup, status) => {
    if (status !== "running" && status !== "created") throw new Error(`container not running or created: ${status}`);
    cgroup.freeze();
  });
}

/** @throws {Error} `container not paused` */
export function resumeContainer(context: Context, id: string): void {
  withContainer(context, id, (cgroup, status) => {
    if (status !== "paused") throw new Error("container not paused");
    cgroup.thaw();
  });
}

function withContainer(context: Context, id: string, act: (cgroup: Cgroup, status: Status) => void): void {
  const lock = lockDirectory(context.root, id);
  if (lock === null) throw new NoSuchContainerError(id);
  using _ = lock;
  const container = loadContainer(context.root, id);
  act(openCgroup(container.cgroup), containerStatus(context.root, container));
}
