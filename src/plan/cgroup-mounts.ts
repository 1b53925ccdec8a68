/** An entry of `mounts` of type `cgroup`: what the container sees of the cgroup hierarchies. */

import type { MountOptions } from "../config/mount-options.ts";
import type { MountFlag } from "../sys/mount.ts";
import { bindAttributes } from "./binds.ts";
import type {
  CgroupAt,
  MountEntry,
  MountPlan,
  MountStep,
  MountStepOrLink,
  MountSurroundings,
  Placed,
} from "./mount-steps.ts";

const GUARDED: readonly MountFlag[] = ["nosuid", "noexec", "nodev"];

/** Plans a cgroup mount: the v2 hierarchy itself, or a directory with one mount for each v1 hierarchy. */
export function planCgroupMount(
  { base, mount, options }: MountEntry,
  around: Pick<MountSurroundings, "cgroups" | "cgroupNamespace" | "unifiedCgroups">,
): MountPlan {
  if (around.unifiedCgroups) {
    const unified = around.cgroups[0];
    const step: MountStep = {
      ...base,
      kind: "mount",
      source: mount.source ?? "cgroup",
      fstype: "cgroup2",
      flags: options.flags,
      data: options.data,
      inherit: "nothing",
      // Without a cgroup namespace of its own the container saw the whole hierarchy in the mount, too.
      fallback: {
        source: (around.cgroupNamespace ? unified?.directory : unified?.mountPoint) ?? "/sys/fs/cgroup",
        // Without privilege no cgroup may have been made.
        otherwise: unified?.mountPoint ?? null,
      },
    };
    return { sources: [], steps: [step], readonlyLater: [] };
  }
  return planHierarchies(base, options, around);
}

function planHierarchies(
  base: Placed,
  options: MountOptions,
  { cgroups, cgroupNamespace }: Pick<MountSurroundings, "cgroups" | "cgroupNamespace">,
): MountPlan {
  const readonly: MountFlag[] = options.flags.includes("ro") ? ["ro"] : [];
  const steps: MountStepOrLink[] = [
    {
      ...base,
      kind: "mount",
      source: "tmpfs",
      fstype: "tmpfs",
      flags: [...GUARDED],
      data: "mode=755",
      inherit: "nothing",
      fallback: null,
    },
  ];
  for (const hierarchy of cgroups) {
    const name = hierarchy.mountPoint.slice(hierarchy.mountPoint.lastIndexOf("/") + 1);
    const target = `${base.target}/${name}`;
    steps.push(
      cgroupNamespace
        ? hierarchyMount({ ...base, target }, hierarchy, [...GUARDED, ...readonly])
        : hierarchyBind({ ...base, target }, hierarchy, options),
    );
    const others = hierarchy.controllers.filter((controller) => controller !== name && !controller.startsWith("name="));
    if (others.length > 0) {
      const links = others.map((controller) => ({ name: controller, to: name }));
      steps.push({ kind: "symlinks", pointer: base.pointer as string, directory: base.target, links });
    }
  }
  return { sources: [], steps, readonlyLater: readonly.length > 0 ? [base.target] : [] };
}

/** In a cgroup namespace a new mount of the hierarchy shows the container's own part. */
function hierarchyMount(
  base: Placed,
  { version, controllers, directory, mountPoint }: CgroupAt,
  flags: MountFlag[],
): MountStep {
  const named = controllers.some((controller) => controller.startsWith("name="));
  return {
    ...base,
    kind: "mount",
    source: named ? "systemd" : "cgroup",
    fstype: version === 2 ? "cgroup2" : "cgroup",
    flags,
    data: controllers.join(","),
    inherit: "nothing",
    fallback: { source: directory, otherwise: mountPoint },
  };
}

function hierarchyBind(base: Placed, { directory, mountPoint }: CgroupAt, options: MountOptions): MountStep {
  return {
    ...base,
    kind: "bind",
    source: directory,
    origin: { from: "init", idmap: null },
    tree: true,
    // Without privilege no cgroup may have been made: the container is in that of whoever started it.
    otherwise: mountPoint,
    attributes: bindAttributes(options),
  };
}
