/** The entries of config.json's `mounts`: each becomes the steps that realise it. */

import { type MountOptions, parseMountOptions } from "../config/mount-options.ts";
import type { Mount } from "../config/types.ts";
import type { MountFlag } from "../sys/mount.ts";
import { isIdMapped, planBind } from "./binds.ts";
import { planCgroupMount } from "./cgroup-mounts.ts";
import { type MountEntry, type MountPlan, type MountStep, type MountSurroundings, refuse } from "./mount-steps.ts";
import { cleanPath, targetPath } from "./paths.ts";

/**
 * Plans one entry of `mounts`.
 * @throws {Error} when the entry cannot be realised, naming its JSON pointer
 */
export function planMount(index: number, mount: Mount, around: MountSurroundings): MountPlan {
  const options = parseMountOptions(mount.options);
  const { propagation, recursive } = options;
  const target = targetPath(mount.destination, around.rootfsPath);
  const base = { entry: index, pointer: `/mounts/${index}`, target, propagation, recursive };
  const entry: MountEntry = { index, mount, options, base };
  // `"type": "bind"` alone is meant as the option; what else could it be?
  if (mount.type === "bind") options.bind ??= "bind";
  const changes = options.bind !== null && options.remount;
  if (target === "/" && !changes) refuse(entry, "it would be on the top of the rootfs");
  if (around.systemdHierarchy !== undefined && cleanPath(around.systemdHierarchy) === target) {
    return { sources: [], steps: [systemdHierarchy(entry)], readonlyLater: [] };
  }
  if (options.bind !== null) return planBind(entry, around);
  if (options.nofollow || options.copySymlink) refuse(entry, "options about symlinks are for bind mounts");
  if (isIdMapped(entry)) refuse(entry, "id-mapped mounts are only supported for bind mounts");
  const isCgroup = mount.type === "cgroup" || (mount.type === "cgroup2" && isOfHost(around));
  return isCgroup ? planCgroupMount(entry, around) : planFilesystem(entry, around);
}

/** Whether a cgroup2 mount shows a hierarchy that must not be mounted anew: its options would be the host's. */
function isOfHost({ unifiedCgroups, cgroupNamespace, cgroups }: MountSurroundings): boolean {
  return unifiedCgroups || (!cgroupNamespace && cgroups.some(({ version }) => version === 2));
}

function planFilesystem({ base, mount, options }: MountEntry, around: MountSurroundings): MountPlan {
  const fstype = mount.type ?? "none";
  // A tmpfs and /dev are written to after they are mounted.
  const late = options.flags.includes("ro") && (fstype === "tmpfs" || base.target === "/dev");
  // Never writable: the host's cgroups are below it.
  const mayBindSysfs = around.inUserNamespace && options.flags.includes("ro");
  const labelled = fstype !== "proc" && fstype !== "sysfs" && fstype !== "mqueue";
  const step: MountStep = {
    ...base,
    kind: "mount",
    source: mount.source ?? fstype,
    fstype,
    flags: withRemount(late ? options.flags.filter((flag) => flag !== "ro") : options.flags, options),
    data: labelled ? withLabel(options.data, around) : options.data,
    inherit: fstype !== "tmpfs" ? "nothing" : options.tmpcopyup ? "contents" : "mode",
    fallback: fstype === "sysfs" && mayBindSysfs ? { source: "/sys", otherwise: null } : null,
  };
  return { sources: [], steps: [step], readonlyLater: late ? [base.target] : [] };
}

/** The hierarchy that an old systemd wants to find, and that it must be able to write to. */
function systemdHierarchy({ base, options }: MountEntry): MountStep {
  return {
    ...base,
    kind: "mount",
    source: "cgroup",
    fstype: "cgroup",
    flags: options.flags.filter((flag) => flag !== "ro"),
    data: "none,name=systemd,xattr",
    inherit: "nothing",
    fallback: null,
  };
}

/** Mount data with the label that SELinux gives to all files of the mount. @see mount(8), "context=" */
function withLabel(data: string, { label, labelType }: MountSurroundings): string {
  if (label === "") return data;
  return [data, `${labelType}="${label}"`].filter((part) => part !== "").join(",");
}

function withRemount(flags: readonly MountFlag[], { remount }: MountOptions): MountFlag[] {
  return remount ? ["remount", ...flags] : [...flags];
}
