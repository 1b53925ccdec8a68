/** Clears away what is left of a container whose init is gone. */

import { openCgroup } from "../cgroup/manager.ts";
import type { Spec } from "../config/types.ts";
import { type OpenHookOutput, openHookOutput } from "../hooks/output.ts";
import { runHook } from "../hooks/run.ts";
import { exists, rmdir } from "../sys/file.ts";
import type { Context } from "./options.ts";
import { stateDocument } from "./status.ts";
import { type Container, removeDirectory } from "./store.ts";

/**
 * Removes a stopped container: its processes that outlived the init, its cgroup, its state; then runs the poststop hooks.
 *
 * The hooks come when all is removed, and one that fails is warned of, no more.
 *
 * @param hasOthers whether there may be processes that did not end with the init: without a pid namespace of its own, nothing but the cgroup
 *   tells which processes are the container's
 * @throws {Error} when the cgroup cannot be removed: the state stays, so that it can be tried again
 * @see runtime-spec, runtime.md, "Lifecycle", 11 to 13
 */
export function clearContainer(
  context: Context,
  container: Container,
  spec: Spec,
  hasOthers = !hasOwnPidNamespace(spec),
): void {
  const cgroup = openCgroup(container.cgroup);
  if (hasOthers) cgroup.killAll(9);
  cgroup.remove();
  if (container.resctrl !== undefined && exists(container.resctrl)) rmdir(container.resctrl);
  removeDirectory(context.root, container.id);
  const hooks = spec.hooks?.poststop ?? [];
  if (hooks.length === 0) return;
  const state = stateDocument(container, "stopped");
  using output = openOutput(context, container, spec);
  for (const hook of hooks) {
    const failure = runHook(hook, state, { cwd: container.bundle, ...(output && { output }) });
    if (failure === null) continue;
    const words = failure.replace(/^exit status/, "exit code");
    context.log.warn(`poststop hook failed with ${words} (${hook.path}, container ${container.id})`);
  }
}

/**
 * Clears what a failed launch or restoration leaves; that this fails too must not hide the first failure.
 * @param hasOthers as for {@link clearContainer}
 * @returns what is to be said of what could not be cleared
 */
export function clearAfterFailure(
  context: Context,
  container: Container,
  spec: Spec,
  hasOthers?: boolean,
): string | null {
  try {
    clearContainer(context, container, spec, hasOthers);
    return null;
  } catch (error) {
    return `container ${container.id} could not be cleared, delete it: ${(error as Error).message}`;
  }
}

/** A container must be able to go when its hooks' output has nowhere to. */
function openOutput(context: Context, { id, bundle }: Container, spec: Spec): OpenHookOutput | null {
  try {
    return openHookOutput(spec, bundle);
  } catch (error) {
    context.log.warn(`output of the poststop hooks of container ${id}: ${(error as Error).message}`);
    return null;
  }
}

/** Whether the container's init is the first process of a pid namespace, with whose end the kernel ends all others. */
export function hasOwnPidNamespace(spec: Spec): boolean {
  return (spec.linux?.namespaces ?? []).some(({ type, path }) => type === "pid" && !path);
}

/**
 * What to say of a container some of whose processes may outlive it: neither a cgroup nor a pid namespace tells which are its.
 * Who asked for no cgroup knows that; who could not have one is told.
 */
export function warningOfStrays({ cgroup }: Container, spec: Spec): string | null {
  if (cgroup.driver === "disabled" || cgroup.hierarchies.length > 0 || hasOwnPidNamespace(spec)) return null;
  return (
    "a container with no cgroup and no pid namespace of its own: its processes cannot all be found and killed. " +
    "Such configuration is strongly discouraged"
  );
}
