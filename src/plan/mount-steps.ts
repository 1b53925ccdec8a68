/** What mounting consists of: the steps of the init and of its parent, and what they are planned from. */
import type { ContextType } from "../config/context-types.ts";
import type { MountOptions, NoFollow, Propagation } from "../config/mount-options.ts";
import type { IdMapping, Mount } from "../config/types.ts";
import type { MountAttribute, MountFlag } from "../sys/mount.ts";
import type { CgroupHierarchy } from "./cgroups.ts";
import type { DeviceNode } from "./devices.ts";
import type { StepBase } from "./step.ts";

/** What every step that mounts something in the rootfs has. */
export interface MountBase extends StepBase {
  /** Index in `mounts`, when an entry there asks for it. */
  entry?: number;
  /** Absolute and clean; symlinks in it are resolved in the rootfs. */
  target: string;
  /** Set once it is mounted, in order. */
  propagation: Propagation[];
  /** Attributes for the whole tree, once it is mounted. */
  recursive: MountOptions["recursive"];
  /** The number by which later steps know this mount, where there are any. */
  keep?: number;
  /** The number of the mount that is changed; without, it is found by its path: this plan has not made it. */
  mounted?: number;
}

/** {@link MountBase} before the step's kind is known. */
export type Placed = Omit<MountBase, "kind">;

/** Who opens what is bound. */
export type BindOrigin =
  /** The init, by path; the namespace named by `idmap`, which the parent made, then maps the owners. After its last mount it is closed. */
  | { from: "init"; idmap: { name: string; recursive: boolean; last: boolean } | null }
  /** The init; where it may not go (a user namespace's root has no power over others' directories), the parent for it. */
  | { from: "init-or-parent"; name: string }
  /** The parent: only it may map the owners of a filesystem that is not the user namespace's own. */
  | { from: "parent"; name: string };

export type MountStep =
  /** Mounts a filesystem. */
  | (MountBase & {
      kind: "mount";
      source: string;
      fstype: string;
      flags: MountFlag[];
      data: string;
      /** `covered`: a tmpfs takes the mode of the directory under it. `copied`: its contents, too. */
      inherit: "nothing" | "mode" | "contents";
      /** Where the kernel refuses the filesystem (EPERM, EBUSY), this directory is bound instead, or the other if there is none. */
      fallback: { source: string; otherwise: string | null } | null;
    })
  /** Binds a directory or a file. */
  | (MountBase & {
      kind: "bind";
      source: string;
      origin: BindOrigin;
      tree: boolean;
      /** Bound where the source does not exist. */
      otherwise: string | null;
      /** `null` leaves the attributes of the source; otherwise what is not in `set` is cleared. */
      attributes: { set: MountAttribute[]; clear: MountAttribute[] } | null;
      nofollow?: NoFollow[];
      /** A source that is a symlink is made again at the target, and nothing is mounted. */
      copySymlink?: true;
    });

/** What the parent opens for the init. */
export type SourceStep =
  /** A user namespace to map owners of mounts by; before the fork. */
  | (StepBase & { kind: "id-mapping"; name: string; entry: number; mapping: IdMappingSource })
  /** A tree of mounts, attached nowhere; when the init asks for it, since earlier mounts may be part of it. */
  | (StepBase & {
      kind: "open-source";
      name: string;
      entry: number;
      source: string;
      tree: boolean;
      idmap: { name: string; mapping: IdMappingSource; recursive: boolean } | null;
      nofollow?: NoFollow[];
    })
  /** A device that the host lacks, on a filesystem of its own; when the init asks for it. */
  | (StepBase & { kind: "make-device"; name: string; node: DeviceNode });

/** Where id maps come from: the container's own user namespace by path, or lists. */
export type IdMappingSource =
  | { from: "namespace"; path: string }
  | { from: "maps"; uid: IdMapping[]; gid: IdMapping[] };

/** The container's cgroup in one hierarchy of the host. */
export type CgroupAt = CgroupHierarchy;

/** One entry of `mounts`, read. */
export interface MountEntry {
  index: number;
  mount: Mount;
  options: MountOptions;
  /** What all its steps start from. */
  base: Placed;
}

/** What all entries of a configuration share. */
export interface MountSurroundings {
  bundle: string;
  rootfsPath: string;
  /** `/linux/mountLabel`. */
  label: string;
  /** The mount option that gives it. */
  labelType: ContextType;
  /** Where the v1 hierarchy `name=systemd` is mounted, whatever the entry says. */
  systemdHierarchy: string | undefined;
  /** Whether the init will be in a user namespace: the container's, or that of the runtime. */
  inUserNamespace: boolean;
  /** Whether the parent has powers that the init has not: the parent is root, and the init root of a user namespace only. */
  parentHelps: boolean;
  /** Whether the container is in a cgroup namespace that is not the host's. */
  cgroupNamespace: boolean;
  cgroups: readonly CgroupAt[];
  /** Whether all of the host's cgroups are in one v2 hierarchy. */
  unifiedCgroups: boolean;
  /** Mappings of the container itself, for `idmap` without mappings. */
  containerMapping: IdMappingSource;
}

/** What an entry needs. */
export interface MountPlan {
  sources: SourceStep[];
  steps: MountStepOrLink[];
  /** Mount points to make read-only once everything in them is made. */
  readonlyLater: string[];
}

/** A symlink made in a mount. */
export type LinkStep = StepBase & {
  kind: "symlinks";
  directory: string;
  links: { name: string; to: string; onlyIf?: string }[];
};

/** Gives a mount that is there other attributes: what is not in `set` is cleared. */
export type ChangeStep = MountBase & {
  kind: "change-mount";
  attributes: { set: MountAttribute[]; clear: MountAttribute[] };
};

export type MountStepOrLink = MountStep | ChangeStep | LinkStep;

/** @throws {Error} that names the entry by its JSON pointer, source and destination */
export function refuse({ index, mount }: Pick<MountEntry, "index" | "mount">, why: string): never {
  throw new Error(`/mounts/${index}: mount ${mount.source ?? mount.type ?? ""} on ${mount.destination}: ${why}`);
}
