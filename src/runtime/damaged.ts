/** `delete --force` of a container whose state cannot be read: its id tells where most of it must be. */
import { type Cgroup, openCgroup } from "../cgroup/manager.ts";
import type { CgroupLocation } from "../cgroup/plan.ts";
import type { Spec } from "../config/types.ts";
import { hostFacts } from "./host.ts";
import type { Context } from "./options.ts";
import { cgroupLocation } from "./prepare.ts";
import { livesElsewhere } from "./shared-cgroup.ts";
import { loadSavedConfig, removeDirectory } from "./store.ts";

/**
 * Kills what is in the cgroup that a container of this id has, by its configuration where that is left, and removes that and the
 * container's directory. Warns of what could not be known.
 * @param why the state cannot be read
 * @throws {Error} when the cgroup cannot be removed: the directory stays
 */
export function clearDamaged(context: Context, id: string, why: string): void {
  const unknown = ["its poststop hooks were not run"];
  const spec = savedConfig(context, id);
  if (spec === null)
    unknown.push(
      "its config.json cannot be read either, so its cgroup may be another than the one of its id, and it may have a class of service",
    );
  // It may have been there before, and be another container's, too.
  const intelRdt = spec?.linux?.intelRdt;
  if (intelRdt !== undefined) {
    const group = intelRdt.closID || id;
    unknown.push(`whether its class of service (intelRdt) was made for it: ${group} in the resctrl filesystem is left`);
  }
  const cgroup = findCgroup(context, id, spec);
  if (cgroup?.exists() !== true) {
    unknown.push("no cgroup was found: its processes, if there are any, are left");
  } else if (livesElsewhere(context, id, cgroup)) {
    unknown.push("another container lives in its cgroup: its own processes, if there are any, are left");
  } else {
    cgroup.killAll(9);
    cgroup.remove();
  }
  removeDirectory(context.root, id);
  context.log.warn(`container ${id}: ${why}: what its id tells of was cleared; ${unknown.join("; ")}`);
}

function savedConfig(context: Context, id: string): Spec | null {
  try {
    return loadSavedConfig(context.root, id);
  } catch {
    return null;
  }
}

function findCgroup(context: Context, id: string, spec: Spec | null): Cgroup | null {
  const host = hostFacts();
  const rootless = context.rootless ?? (host.euid !== 0 || host.inUserNamespace);
  let location: CgroupLocation;
  try {
    location = cgroupLocation(context, id, spec ?? { ociVersion: "" }, host, rootless);
  } catch {
    return null;
  }
  return openCgroup(location);
}
