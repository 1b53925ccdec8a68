/** The entries of config.json's `mounts`: each becomes the steps that realise it. */
import type { IdMapping, Mount } from "../config/types.ts";
import type { MountAttribute, MountFlag } from "../sys/mount.ts";
import { type CgroupAt, planCgroupMount } from "./cgroup-mounts.ts";
import { type MountOptions, type Propagation, parseMountOptions, propagationName } from "./mount-options.ts";
import type { Describers, StepBase } from "./step.ts";

/** What every step that mounts something in the rootfs has. */
interface MountBase extends StepBase {
  /** Index in `mounts`, when an entry there asks for it. */
  entry?: number;
  /** Absolute and clean; symlinks in it are resolved in the rootfs. */
  target: string;
  /** Set once it is mounted, in order. */
  propagation: Propagation[];
  /** Attributes for the whole tree, once it is mounted. */
  recursive: MountOptions["recursive"];
}

type Placed = Omit<MountBase, "kind">;

/** Who opens what is bound. */
export type BindOrigin =
  /** The init, by path; the namespace named by `idmap`, which the parent made, then maps the owners. */
  | { from: "init"; idmap: { name: string; recursive: boolean } | null }
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
      /** Where the kernel refuses the filesystem (EPERM, EBUSY), this directory is bound instead. */
      fallback: string | null;
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
    });

/** What the parent opens for the init. */
export type SourceStep =
  /** A user namespace to map a mount's owners by; before the fork. */
  | (StepBase & { kind: "id-mapping"; name: string; entry: number; mapping: IdMappingSource })
  /** A tree of mounts, attached nowhere; when the init asks for it, since earlier mounts may be part of it. */
  | (StepBase & {
      kind: "open-source";
      name: string;
      entry: number;
      source: string;
      tree: boolean;
      idmap: { mapping: IdMappingSource; recursive: boolean } | null;
    });

/** Where id maps come from: the container's own user namespace by path, or lists. */
export type IdMappingSource =
  | { from: "namespace"; path: string }
  | { from: "maps"; uid: IdMapping[]; gid: IdMapping[] };

/** What all entries of a configuration share. */
export interface MountSurroundings {
  bundle: string;
  rootfsPath: string;
  /** `/linux/mountLabel`. */
  label: string;
  userNamespace: boolean;
  /** Whether the parent has powers that the init has not: the parent is root, and the init root of a user namespace only. */
  parentHelps: boolean;
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

export type MountStepOrLink = MountStep | LinkStep;

/**
 * Plans one entry of `mounts`.
 * @throws {Error} when the entry cannot be realised, naming its JSON pointer
 */
export function planMount(entry: number, mount: Mount, around: MountSurroundings): MountPlan {
  const options = parseMountOptions(mount.options);
  const target = targetPath(mount.destination, around.rootfsPath);
  const pointer = `/mounts/${entry}`;
  const base = { entry, pointer, target, propagation: options.propagation, recursive: options.recursive };
  const fail = (why: string): never => {
    throw new Error(`${pointer}: mount ${mount.source ?? mount.type ?? ""} on ${mount.destination}: ${why}`);
  };
  if (target === "/") fail("it would be on the top of the rootfs");
  const idmap = options.idmap !== null || mount.uidMappings !== undefined || mount.gidMappings !== undefined;
  // `"type": "bind"` alone is meant as the option; what else could it be?
  if (mount.type === "bind") options.bind ??= "bind";
  if (options.bind !== null) return planBind(base, mount, options, around, idmap, fail);
  if (idmap) fail("id-mapped mounts are only supported for bind mounts");
  const fstype = mount.type ?? "none";
  if (fstype === "cgroup" || (fstype === "cgroup2" && around.unifiedCgroups)) {
    return planCgroupMount(base, mount, options, around);
  }
  // A tmpfs and /dev are written to after they are mounted.
  const late = options.flags.includes("ro") && (fstype === "tmpfs" || target === "/dev");
  const labelled = fstype !== "proc" && fstype !== "sysfs" && fstype !== "mqueue";
  const step: MountStep = {
    ...base,
    kind: "mount",
    source: mount.source ?? fstype,
    fstype,
    flags: withRemount(late ? options.flags.filter((flag) => flag !== "ro") : options.flags, options),
    data: labelled ? withLabel(options.data, around.label) : options.data,
    inherit: fstype !== "tmpfs" ? "nothing" : options.tmpcopyup ? "contents" : "mode",
    fallback: fstype === "sysfs" && around.userNamespace ? "/sys" : null,
  };
  return { sources: [], steps: [step], readonlyLater: late ? [target] : [] };
}

function planBind(
  base: Placed,
  mount: Mount,
  options: MountOptions,
  around: MountSurroundings,
  idmap: boolean,
  fail: (why: string) => never,
): MountPlan {
  if (options.data !== "") {
    fail(`bind mounts cannot have any filesystem-specific options applied: ${options.data}`);
  }
  const given = mount.source ?? "";
  const source = given.startsWith("/") ? given : `${around.bundle}/${given}`;
  const tree = options.bind === "rbind";
  const { origin, sources } = planSource(
    base.entry as number,
    mount,
    { source, tree, ridmap: options.idmap === "ridmap" },
    around,
    idmap,
    fail,
  );
  const step: MountStep = {
    ...base,
    kind: "bind",
    source,
    origin,
    tree,
    otherwise: null,
    attributes: bindAttributes(options),
  };
  return { sources, steps: [step], readonlyLater: [] };
}

function planSource(
  entry: number,
  mount: Mount,
  { source, tree, ridmap }: { source: string; tree: boolean; ridmap: boolean },
  around: MountSurroundings,
  idmap: boolean,
  fail: (why: string) => never,
): { origin: BindOrigin; sources: SourceStep[] } {
  const name = `mount-${entry}`;
  const named = { name, entry, pointer: `/mounts/${entry}` };
  if (!idmap) {
    if (!around.parentHelps) return { origin: { from: "init", idmap: null }, sources: [] };
    return {
      origin: { from: "init-or-parent", name },
      sources: [{ kind: "open-source", ...named, source, tree, idmap: null }],
    };
  }
  const mapping = idMapping(mount, around, fail);
  if (around.parentHelps) {
    return {
      origin: { from: "parent", name },
      sources: [{ kind: "open-source", ...named, source, tree, idmap: { mapping, recursive: ridmap } }],
    };
  }
  return {
    origin: { from: "init", idmap: { name, recursive: ridmap } },
    sources: [{ kind: "id-mapping", ...named, mapping }],
  };
}

function idMapping(mount: Mount, around: MountSurroundings, fail: (why: string) => never): IdMappingSource {
  if (mount.uidMappings === undefined && mount.gidMappings === undefined) {
    const own = around.containerMapping;
    if (own.from === "maps" && (own.uid.length === 0 || own.gid.length === 0)) {
      fail("id-mapped mounts must have both uid and gid mappings specified");
    }
    return own;
  }
  const uid = mount.uidMappings ?? [];
  const gid = mount.gidMappings ?? [];
  if (uid.length === 0 || gid.length === 0) fail("id-mapped mounts must have both uid and gid mappings specified");
  return { from: "maps", uid, gid };
}

/** The flags that the kernel keeps for each mount; the others belong to the filesystem, and a bind ignores them. */
const ATTRIBUTES: readonly MountFlag[] = [
  ...(["ro", "nosuid", "nodev", "noexec", "relatime", "noatime", "strictatime", "nodiratime", "nosymfollow"] as const),
];

/** The attributes that the options of a bind ask for; `null` when none of them says anything about flags. */
export function bindAttributes({ flags, cleared }: Pick<MountOptions, "flags" | "cleared">): {
  set: MountAttribute[];
  clear: MountAttribute[];
} | null {
  if (flags.length === 0 && cleared.length === 0) return null;
  const attributes = (list: readonly MountFlag[]) =>
    list.filter((flag) => ATTRIBUTES.includes(flag)) as MountFlag[] as MountAttribute[];
  return { set: attributes(flags), clear: attributes(cleared) };
}

/** A destination, made absolute and clean; one that goes through the rootfs's own path on the host means inside it. */
export function targetPath(destination: string, rootfsPath: string): string {
  const path = cleanPath(destination);
  if (rootfsPath === "/") return path;
  if (path === rootfsPath) return "/";
  return path.startsWith(`${rootfsPath}/`) ? path.slice(rootfsPath.length) : path;
}

/** Absolute and lexically clean: `cleanPath("a/../b/")` is `"/b"`. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** Mount data with the label that SELinux gives to all files of the mount. @see mount(8), "context=" */
export function withLabel(data: string, label: string): string {
  if (label === "") return data;
  return [data, `context="${label}"`].filter((part) => part !== "").join(",");
}

function withRemount(flags: readonly MountFlag[], { remount }: MountOptions): MountFlag[] {
  return remount ? ["remount", ...flags] : [...flags];
}

export const describeMounts: Describers<MountStep | SourceStep> = {
  mount: (step) =>
    `${ofEntry(step)}${step.fstype} ${step.source} on rootfs${step.target}${bracketed(step.flags, step)}`,
  bind: (step) => {
    const { origin, tree, attributes } = step;
    const words = [
      tree ? "rbind" : "bind",
      ...(attributes?.set ?? []),
      ...(attributes?.clear ?? []).map((name) => `-${name}`),
      ...(isIdMapped(origin) ? ["idmap"] : []),
    ];
    return `${ofEntry(step)}bind ${step.source} on rootfs${step.target}${bracketed(words, step)}`;
  },
  "id-mapping": (step) => `${ofEntry(step)}make a user namespace of ${mapped(step.mapping)}`,
  "open-source": (step) => {
    const { source, tree, idmap } = step;
    const words = [`open ${source}`, tree && "and the mounts below it", idmap && `owned by ${mapped(idmap.mapping)}`];
    return `${ofEntry(step)}${words.filter(Boolean).join(" ")}`;
  },
};

function isIdMapped(origin: BindOrigin): boolean {
  return origin.from === "parent" || (origin.from === "init" && origin.idmap !== null);
}

function ofEntry({ entry, pointer }: { entry?: number; pointer?: string }): string {
  return entry === undefined ? "" : `mount ${entry} of config.json (${pointer}): `;
}

function bracketed(words: readonly string[], step: MountBase & { data?: string }): string {
  const all = [
    ...words,
    ...(step.recursive?.set ?? []).map((name) => `r${name}`),
    ...(step.recursive?.clear ?? []).map((name) => `-r${name}`),
    ...step.propagation.map(propagationName),
    ...(step.data ? [step.data] : []),
  ];
  return all.length === 0 ? "" : ` [${all.join(",")}]`;
}

function mapped(mapping: IdMappingSource): string {
  if (mapping.from === "namespace") return `the ids of ${mapping.path}`;
  const list = (maps: readonly IdMapping[]) => maps.map((m) => `${m.containerID}:${m.hostID}:${m.size}`).join(" ");
  return `uids ${list(mapping.uid)}, gids ${list(mapping.gid)}`;
}
