/** The maps in crun's mount option `idmap=uids=0-1-10#10-11-10;gids=0-100-10`. @see crun(1), "idmap mount options" */
import type { IdMapping } from "../config/types.ts";

/** Both id maps: a file's id, the id that it is shown as, how many. */
export interface IdMaps {
  uid: IdMapping[];
  gid: IdMapping[];
}

/**
 * Reads the option's value. A triplet after `@` counts its second number in ids of the container, which `container` maps.
 *
 * @example parseIdmapOption("uids=0-1000-1;gids=@0-0-1", { uid: [], gid: [{ containerID: 0, hostID: 5, size: 1 }] })
 * // { uid: [{ containerID: 0, hostID: 1000, size: 1 }], gid: [{ containerID: 0, hostID: 5, size: 1 }] }
 * @throws {Error} that says which part is wrong
 */
export function parseIdmapOption(value: string, container: IdMaps): IdMaps {
  const maps: IdMaps = { uid: [], gid: [] };
  for (const part of value.split(";").filter((text) => text !== "")) {
    const [, which, triplets = ""] = /^(uid|gid)s=(.*)$/.exec(part) ?? [];
    if (which !== "uid" && which !== "gid") throw new Error(`idmap option "${part}": uids=… or gids=… is expected`);
    maps[which] = triplets.split("#").map((triplet) => parseTriplet(triplet, container[which]));
  }
  return maps;
}

function parseTriplet(text: string, container: readonly IdMapping[]): IdMapping {
  const found = /^(@?)(\d+)-(\d+)-(\d+)$/.exec(text);
  if (found === null) throw new Error(`idmap mapping "${text}": three numbers, ID-ID-COUNT, are expected`);
  const [containerID, hostID, size] = found.slice(2).map(Number) as [number, number, number];
  if (found[1] === "") return { containerID, hostID, size };
  const range = container.find((one) => hostID >= one.containerID && hostID < one.containerID + one.size);
  if (range === undefined) throw new Error(`idmap mapping "${text}": the user namespace has no id ${hostID}`);
  return { containerID, hostID: hostID - range.containerID + range.hostID, size };
}
