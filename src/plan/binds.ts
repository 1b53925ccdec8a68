/** Bind mounts: whose hands open the source, which owners and attributes the mount has. */
import type { MountAttribute, MountFlag } from "../sys/mount.ts";
import type { MountOptions } from "./mount-options.ts";
import {
  type BindOrigin,
  type IdMappingSource,
  type MountEntry,
  type MountPlan,
  type MountStep,
  type MountSurroundings,
  refuse,
  type SourceStep,
} from "./mount-steps.ts";

/**
 * Plans a bind mount.
 * @throws {Error} when the entry cannot be realised
 */
export function planBind(entry: MountEntry, around: MountSurroundings): MountPlan {
  const { base, mount, options } = entry;
  if (options.data !== "") {
    refuse(entry, `bind mounts cannot have any filesystem-specific options applied: ${options.data}`);
  }
  const given = mount.source ?? "";
  const source = given.startsWith("/") ? given : `${around.bundle}/${given}`;
  const tree = options.bind === "rbind";
  const { origin, sources } = isIdMapped(entry)
    ? planIdMapped(entry, source, tree, around)
    : planPlain(entry, source, tree, around);
  const attributes = bindAttributes(options);
  const step: MountStep = { ...base, kind: "bind", source, origin, tree, otherwise: null, attributes };
  return { sources, steps: [step], readonlyLater: [] };
}

/** Whether an entry asks for owners other than those of its source. */
export function isIdMapped({ mount, options }: Pick<MountEntry, "mount" | "options">): boolean {
  return options.idmap !== null || mount.uidMappings !== undefined || mount.gidMappings !== undefined;
}

interface Source {
  origin: BindOrigin;
  sources: SourceStep[];
}

function planPlain({ index }: MountEntry, source: string, tree: boolean, { parentHelps }: MountSurroundings): Source {
  if (!parentHelps) return { origin: { from: "init", idmap: null }, sources: [] };
  const named = nameOf(index);
  return {
    origin: { from: "init-or-parent", name: named.name },
    sources: [{ kind: "open-source", ...named, source, tree, idmap: null }],
  };
}

function planIdMapped(entry: MountEntry, source: string, tree: boolean, around: MountSurroundings): Source {
  const named = nameOf(entry.index);
  const { name } = named;
  const mapping = idMapping(entry, around);
  const recursive = entry.options.idmap === "ridmap";
  if (!around.parentHelps) {
    return {
      origin: { from: "init", idmap: { name, recursive } },
      sources: [{ kind: "id-mapping", ...named, mapping }],
    };
  }
  return {
    origin: { from: "parent", name },
    sources: [{ kind: "open-source", ...named, source, tree, idmap: { mapping, recursive } }],
  };
}

function nameOf(index: number): { name: string; entry: number; pointer: string } {
  return { name: `mount-${index}`, entry: index, pointer: `/mounts/${index}` };
}

function idMapping(entry: MountEntry, { containerMapping }: MountSurroundings): IdMappingSource {
  const { uidMappings, gidMappings } = entry.mount;
  const mapping: IdMappingSource =
    uidMappings === undefined && gidMappings === undefined
      ? containerMapping
      : { from: "maps", uid: uidMappings ?? [], gid: gidMappings ?? [] };
  if (mapping.from === "maps" && (mapping.uid.length === 0 || mapping.gid.length === 0)) {
    refuse(entry, "id-mapped mounts must have both uid and gid mappings specified");
  }
  return mapping;
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
