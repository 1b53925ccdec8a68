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
  if (around.unifiedCgroups || mount.type === "cgroup2") {
    const unified = around.cgroups.find(({ version }) => version === 2);
    if (!around.cgroupNamespace)
      return { sources: [], steps: [wholeHierarchy(base, unified, options)], readonlyLater: [] };
    const step: MountStep = {
      ...base,
      kind: "mount",
      source: mount.source ?? "cgroup",
      fstype: "cgroup2",
      flags: options.flags,
      data: options.data,
      inherit: "nothing",
      fallback: {
        source: unified?.directory ?? "/sys/fs/cgroup",
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

/**
 * Without a cgroup namespace of its own a container sees the whole v2 hierarchy. It is bound: a new mount, made in the host's cgroup
 * namespace, takes its options for the host's hierarchy, too, which loses its `nsdelegate` and `memory_recursiveprot` by that.
 * @see cgroups(7), "Cgroups delegation: mounting with nsdelegate"
 */
function wholeHierarchy(base: Placed, unified: CgroupAt | undefined, options: MountOptions): MountStep {
  const { mountPoint } = unified ?? { mountPoint: "/sys/fs/cgroup" };
  return hierarchyBind(base, { mountPoint, directory: mountPoint }, options);
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

function hierarchyBind(
  base: Placed,
  { directory, mountPoint }: Pick<CgroupAt, "directory" | "mountPoint">,
  options: MountOptions,
): MountStep {
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
