/** The container's view of the filesystem: what is mounted where, in which order. */

import { mountContextType, systemdHierarchyMount } from "../config/annotations.ts";
import type { Spec } from "../config/types.ts";
import { shareMappings } from "./binds.ts";
import type { CgroupMount } from "./cgroups.ts";
import { type DeviceStep, describeDevices, planDevices } from "./devices.ts";
import type { HostFacts } from "./host.ts";
import { keepMounts } from "./kept-mounts.ts";
import type { CgroupAt, ChangeStep, IdMappingSource, MountStep, MountSurroundings, SourceStep } from "./mount-steps.ts";
import { describeMounts } from "./mount-words.ts";
import { planMount } from "./mounts.ts";
import { cleanPath } from "./paths.ts";
import { describeProtection, type ProtectStep, planProtectedPaths } from "./protected-paths.ts";
import { describeRoot, planRootChange, planRootMount, type RootStep } from "./root.ts";
import type { Describers } from "./step.ts";

export type { CgroupAt, SourceStep } from "./mount-steps.ts";

export type RootfsStep = RootStep | MountStep | ChangeStep | DeviceStep | ProtectStep;

export interface RootfsInput {
  spec: Spec;
  /** Absolute. */
  bundle: string;
  /** Absolute, symlinks resolved. */
  rootfsPath: string;
  host: HostFacts;
  noPivot: boolean;
  /** Whether the container is in a user namespace other than the runtime's, new or joined. */
  userNamespace: boolean;
  /** The container's cgroup in each hierarchy. */
  cgroups: readonly CgroupAt[];
}

export interface RootfsPlan {
  /** By the parent. */
  sources: SourceStep[];
  /** Mounts and devices, seen from the host's root. */
  beforeHooks: RootfsStep[];
  /** The change of root. */
  afterHooks: RootfsStep[];
  /** What nobody has to write to any more. */
  final: RootfsStep[];
}

/**
 * Plans the container's root filesystem.
 * @throws {Error} when a mount cannot be realised, naming its JSON pointer
 */
export function planRootfs(input: RootfsInput): RootfsPlan {
  const { spec, rootfsPath } = input;
  const linux = spec.linux ?? {};
  const mounts = spec.mounts ?? [];
  const own = (linux.namespaces ?? []).some(({ type }) => type === "mount");
  const around = mountSurroundings(input);
  const planned = shareMappings(mounts.map((mount, entry) => planMount(entry, mount, around)));
  const { steps, readonlyLater } = keepMounts(planned);
  const bound = mounts.some(({ destination, options = [] }) => isBind(options) && cleanPath(destination) === "/dev");
  const ownDev = !bound;
  const maker = around.parentHelps ? "parent" : around.inUserNamespace ? "nobody" : "init";
  const devices = ownDev ? planDevices(linux.devices ?? [], maker) : { steps: [], sources: [] };
  return {
    sources: [...planned.flatMap(({ sources }) => sources), ...devices.sources],
    beforeHooks: [
      { kind: "set-umask", mask: 0 },
      ...(own
        ? planRootMount(spec, rootfsPath)
        : [{ kind: "enter-rootfs", pointer: "/root/path", path: rootfsPath } as const]),
      ...steps,
      ...devices.steps,
      { kind: "set-umask", mask: 0o022 },
    ],
    afterHooks: [
      ...planRootChange(spec, rootfsPath, own ? (input.noPivot ? "move" : "pivot") : "chroot"),
      ...(ownDev ? [{ kind: "reopen-null" } as const] : []),
    ],
    final: own ? planReadonly(input, readonlyLater) : [],
  };
}

/** A label on a mount gives access, and takes none: where there is no SELinux it means nothing, and crun passes it over, too. */
function mountLabel({ spec, host }: Pick<RootfsInput, "spec" | "host">): string {
  const label = spec.linux?.mountLabel ?? "";
  return label !== "" && host.selinux ? label : "";
}

function planReadonly(input: RootfsInput, later: readonly RootfsStep[]): RootfsStep[] {
  const { spec } = input;
  const pointer = readonlyRoot(spec);
  const root: RootfsStep[] = pointer === null ? [] : [{ kind: "remount-readonly", pointer, path: "/", mounted: null }];
  return [...later, ...root, ...planProtectedPaths(spec.linux ?? {}, mountLabel(input))];
}

/** What asks for a read-only root, if anything does. */
function readonlyRoot({ root, linux }: Spec): string | null {
  if (root?.readonly === true) return "/root/readonly";
  return linux?.readonlyPaths?.some((path) => cleanPath(path) === "/") ? "/linux/readonlyPaths" : null;
}

/** What the mounts of a container are planned from. */
export function mountSurroundings(input: Omit<RootfsInput, "noPivot">): MountSurroundings {
  const { spec, host, userNamespace } = input;
  const linux = spec.linux ?? {};
  const namespaces = linux.namespaces ?? [];
  return {
    bundle: input.bundle,
    rootfsPath: input.rootfsPath,
    label: mountLabel(input),
    labelType: mountContextType(spec),
    systemdHierarchy: systemdHierarchyMount(spec),
    inUserNamespace: userNamespace || host.inUserNamespace,
    parentHelps: userNamespace && host.euid === 0,
    cgroupNamespace: namespaces.some(
      ({ type, path }) => type === "cgroup" && !(path && host.isHostCgroupNamespace(path)),
    ),
    cgroups: input.cgroups.length > 0 ? input.cgroups : host.cgroupMounts.map(whole),
    unifiedCgroups: host.cgroupMounts.length > 0 && host.cgroupMounts.every(({ version }) => version === 2),
    containerMapping: containerMapping(spec),
  };
}

/** A container without cgroups of its own is somewhere in those of whoever started it. */
function whole({ version, controllers, mountPoint }: CgroupMount): CgroupAt {
  return { version, controllers, mountPoint, directory: mountPoint };
}

function containerMapping({ linux = {} }: Spec): IdMappingSource {
  const path = linux.namespaces?.find(({ type }) => type === "user")?.path;
  if (path) return { from: "namespace", path };
  return { from: "maps", uid: linux.uidMappings ?? [], gid: linux.gidMappings ?? [] };
}

function isBind(options: readonly string[]): boolean {
  return options.includes("bind") || options.includes("rbind");
}

export const describeRootfs: Describers<RootfsStep | SourceStep> = {
  ...describeRoot,
  ...describeMounts,
  ...describeDevices,
  ...describeProtection,
};
