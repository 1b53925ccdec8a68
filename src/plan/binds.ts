/** Bind mounts: whose hands open the source, which owners and attributes the mount has. */

import type { MountOptions, NoFollow } from "../config/mount-options.ts";
import type { MountAttribute, MountFlag } from "../sys/mount.ts";
import { parseIdmapOption } from "./idmap-option.ts";
import {
  type BindOrigin,
  type IdMappingSource,
  type MountEntry,
  type MountPlan,
  type MountStep,
  type MountStepOrLink,
  type MountSurroundings,
  refuse,
  type SourceStep,
} from "./mount-steps.ts";
import { mapped } from "./mount-words.ts";

/**
 * Plans a bind mount.
 * @throws {Error} when the entry cannot be realised
 */
export function planBind(entry: MountEntry, around: MountSurroundings): MountPlan {
  const { base, mount, options } = entry;
  // As in mount(2): nothing is bound then, and the source does not matter.
  if (options.remount) {
    const attributes = bindAttributes(options) ?? { set: [], clear: [] };
    return { sources: [], steps: [{ ...base, kind: "change-mount", attributes }], readonlyLater: [] };
  }
  const { nofollow, copySymlink } = options;
  if (nofollow && copySymlink) refuse(entry, "copy-symlink excludes src-nofollow and dest-nofollow");
  const given = mount.source ?? "";
  const source = given.startsWith("/") ? given : `${around.bundle}/${given}`;
  const tree = options.bind === "rbind";
  const { origin, sources } = isIdMapped(entry)
    ? planIdMapped(entry, source, tree, around)
    : planPlain(entry, source, tree, around);
  const attributes = bindAttributes(options);
  const symlinks = { ...(nofollow && { nofollow }), ...(copySymlink && { copySymlink }) };
  const step: MountStep = { ...base, kind: "bind", source, origin, tree, otherwise: null, attributes, ...symlinks };
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

function planPlain(entry: MountEntry, source: string, tree: boolean, { parentHelps }: MountSurroundings): Source {
  if (!parentHelps) return { origin: { from: "init", idmap: null }, sources: [] };
  const named = nameOf(entry.index);
  return {
    origin: { from: "init-or-parent", name: named.name },
    sources: [{ kind: "open-source", ...named, source, tree, idmap: null, ...symlinksOf(entry) }],
  };
}

function planIdMapped(entry: MountEntry, source: string, tree: boolean, around: MountSurroundings): Source {
  const named = nameOf(entry.index);
  const mapping = idMapping(entry, around);
  const name = mapped(mapping);
  const recursive = entry.options.idmap === "ridmap";
  if (!around.parentHelps) {
    return {
      origin: { from: "init", idmap: { name, recursive, last: true } },
      sources: [{ kind: "id-mapping", ...named, name, mapping }],
    };
  }
  const idmap = { name, mapping, recursive };
  return {
    origin: { from: "parent", name: named.name },
    sources: [{ kind: "open-source", ...named, source, tree, idmap, ...symlinksOf(entry) }],
  };
}

/**
 * Mounts with the same owners share a user namespace: it is made for the first of them, and the init lets go of it after the last. There may be
 * more mounts than descriptors.
 */
export function shareMappings(plans: readonly MountPlan[]): readonly MountPlan[] {
  const idmapOf = (step: MountStepOrLink) =>
    step.kind === "bind" && step.origin.from === "init" ? step.origin.idmap : null;
  const left = plans.flatMap(({ steps }) => steps.flatMap((step) => idmapOf(step)?.name ?? []));
  if (left.length === 0) return plans;
  const made = new Set<string>();
  const isFirst = (source: SourceStep) => {
    if (source.kind !== "id-mapping") return true;
    const isNew = !made.has(source.name);
    made.add(source.name);
    return isNew;
  };
  const markLast = (step: MountStepOrLink): MountStepOrLink => {
    const idmap = idmapOf(step);
    if (step.kind !== "bind" || idmap === null) return step;
    left.splice(left.indexOf(idmap.name), 1);
    return { ...step, origin: { from: "init", idmap: { ...idmap, last: !left.includes(idmap.name) } } };
  };
  return plans.map((plan) => ({ ...plan, sources: plan.sources.filter(isFirst), steps: plan.steps.map(markLast) }));
}

function symlinksOf({ options: { nofollow } }: MountEntry): { nofollow?: NoFollow[] } {
  return nofollow === undefined ? {} : { nofollow };
}

function nameOf(index: number): { name: string; entry: number; pointer: string } {
  return { name: `mount-${index}`, entry: index, pointer: `/mounts/${index}` };
}

function idMapping(entry: MountEntry, { containerMapping }: MountSurroundings): IdMappingSource {
  const { uidMappings, gidMappings } = entry.mount;
  const mapping: IdMappingSource =
    entry.options.idMapping !== undefined
      ? optionMapping(entry, entry.options.idMapping, containerMapping)
      : uidMappings === undefined && gidMappings === undefined
        ? containerMapping
        : { from: "maps", uid: uidMappings ?? [], gid: gidMappings ?? [] };
  if (mapping.from === "maps" && (mapping.uid.length === 0 || mapping.gid.length === 0)) {
    refuse(entry, "id-mapped mounts must have both uid and gid mappings specified");
  }
  return mapping;
}

function optionMapping(entry: MountEntry, value: string, container: IdMappingSource): IdMappingSource {
  const own = container.from === "maps" ? container : { uid: [], gid: [] };
  try {
    return { from: "maps", ...parseIdmapOption(value, own) };
  } catch (error) {
    return refuse(entry, (error as Error).message);
  }
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
