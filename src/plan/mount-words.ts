/** The steps of the mounts in words. */

import { propagationName } from "../config/mount-options.ts";
import type { IdMapping } from "../config/types.ts";
import { inWords } from "./devices.ts";
import type { BindOrigin, ChangeStep, IdMappingSource, MountBase, MountStep, SourceStep } from "./mount-steps.ts";
import type { Describers } from "./step.ts";

export const describeMounts: Describers<MountStep | ChangeStep | SourceStep> = {
  mount: (step) =>
    `${ofEntry(step)}${step.fstype} ${step.source} on rootfs${step.target}${bracketed(step.flags, step)}`,
  bind: (step) => {
    const { origin, tree, attributes } = step;
    const words = [
      tree ? "rbind" : "bind",
      ...(attributes === null ? [] : attributeWords(attributes)),
      ...(isIdMapped(origin) ? ["idmap"] : []),
      ...(step.nofollow ?? []).map((end) => (end === "source" ? "src-nofollow" : "dest-nofollow")),
      ...(step.copySymlink ? ["copy-symlink"] : []),
    ];
    return `${ofEntry(step)}bind ${step.source} on rootfs${step.target}${bracketed(words, step)}`;
  },
  "change-mount": (step) =>
    `${ofEntry(step)}change the mount on rootfs${step.target}${bracketed(["bind", "remount", ...attributeWords(step.attributes)], step)}`,
  "id-mapping": (step) => `${ofEntry(step)}make a user namespace of ${mapped(step.mapping)}`,
  "open-source": (step) => {
    const { source, tree, idmap } = step;
    const words = [`open ${source}`, tree && "and the mounts below it", idmap && `owned by ${mapped(idmap.mapping)}`];
    return `${ofEntry(step)}${words.filter(Boolean).join(" ")}`;
  },
  "make-device": ({ node }) => `make the device ${inWords(node)}, which the host lacks`,
};

function attributeWords({ set, clear }: ChangeStep["attributes"]): string[] {
  return [...set, ...clear.map((name) => `-${name}`)];
}

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

/** Ids as they are mapped; two mappings that read the same are the same. */
export function mapped(mapping: IdMappingSource): string {
  if (mapping.from === "namespace") return `the ids of ${mapping.path}`;
  const list = (maps: readonly IdMapping[]) => maps.map((m) => `${m.containerID}:${m.hostID}:${m.size}`).join(" ");
  return `uids ${list(mapping.uid)}, gids ${list(mapping.gid)}`;
}
