/** `update`: changes the limits of a container that runs. */

import { openCgroup } from "../cgroup/manager.ts";
import { isIdle } from "../cgroup/resource-values.ts";
import { givesShare, mergeResources, withUnrestored } from "../cgroup/update.ts";
import { effectiveResources } from "../config/resources.ts";
import type { IntelRdt, Resources, Spec } from "../config/types.ts";
import { planIntelRdt } from "../plan/intel-rdt.ts";
import { lockDirectory } from "./container-lock.ts";
import { ResctrlGroup } from "./intel-rdt.ts";
import type { Context } from "./options.ts";
import { containerStatus } from "./status.ts";
import { type Container, loadContainer, loadSavedConfig, NoSuchContainerError, saveConfig } from "./store.ts";

/** What is to change. What it does not name stays as it is. */
export interface UpdateOptions {
  id: string;
  resources: Resources;
  intelRdt?: Pick<IntelRdt, "l3CacheSchema" | "memBwSchema">;
}

/**
 * Changes a container's limits: all that is asked for, or nothing. The configuration that is kept of it says so afterwards.
 * @throws {NoSuchContainerError}
 * @throws {Error} when it does not run, or a limit cannot be set
 */
export function updateContainer(context: Context, { id, resources, intelRdt }: UpdateOptions): void {
  const lock = lockDirectory(context.root, id);
  if (lock === null) throw new NoSuchContainerError(id);
  using _ = lock;
  const container = loadContainer(context.root, id);
  const status = containerStatus(context.root, container);
  if (status === "stopped") throw new Error("container not running");
  warnOfKernelMemory(context, resources);
  warnOfUselessShare(context, resources);
  const spec = loadSavedConfig(context.root, id);
  const former = effectiveResources(spec);
  const change = effectiveResources({ ...spec, linux: { ...spec.linux, resources } });
  const undo = openCgroup(container.cgroup).updateResources(former, change);
  let undoClass: (() => void) | null = null;
  try {
    if (intelRdt !== undefined) undoClass = setClass(container, spec, intelRdt);
    const merged = { ...spec.linux?.intelRdt, ...intelRdt };
    const linux = { ...spec.linux, resources: mergeResources(former, change) };
    saveConfig(context.root, id, { ...spec, linux: intelRdt === undefined ? linux : { ...linux, intelRdt: merged } });
  } catch (error) {
    undoClass?.();
    throw withUnrestored(error, undo());
  }
}

/** Since Linux 5.4 on v1 and ever on v2 the kernel has no such limit, and none of its own would be kept. */
function warnOfKernelMemory(context: Context, { memory }: Resources): void {
  if (memory?.kernel) context.log.warn("kernel memory settings are ignored and will be removed");
}

/** The share counts as soon as the cgroup is idle no more. */
function warnOfUselessShare(context: Context, resources: Resources): void {
  if (givesShare(resources) && (resources.cpu?.idle === 1 || isIdle(resources.unified)))
    context.log.warn("unable to apply both a share of CPU time and cpu.idle: no share counts in an idle cgroup");
}

/**
 * @returns takes the change back
 * @throws {Error} for a container without a class: writing its init to one would leave its threads and its other processes where they are
 */
function setClass({ id }: Container, { linux = {} }: Spec, change: Partial<IntelRdt>): () => void {
  if (linux.intelRdt === undefined) throw new Error("updating a non-existent Intel RDT configuration is not supported");
  const { closID, enableMonitoring } = linux.intelRdt;
  const plan = planIntelRdt(
    { ...change, ...(closID && { closID }), ...(enableMonitoring && { enableMonitoring }) },
    id,
  );
  return plan === null ? () => {} : new ResctrlGroup(plan).update();
}
