/** The maps in crun's mount option `idmap=uids=0-1-10#10-11-10;gids=0-100-10`. @see crun(1), "idmap mount options" */
import type { IdMapping } from "../config/types.ts";
import { hostId, LAST_ID } from "../config/validate/id-mappings.ts";

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
  const [containerID, second, size] = found.slice(2).map(Number) as [number, number, number];
  if (size === 0) throw new Error(`idmap mapping "${text}": the count must not be 0`);
  const hostID = found[1] === "" ? second : hostId(second, container);
  if (hostID === null) throw new Error(`idmap mapping "${text}": the user namespace has no id ${second}`);
  if (containerID + size - 1 > LAST_ID || hostID + size - 1 > LAST_ID) {
    throw new Error(`idmap mapping "${text}": leads beyond the last id, ${LAST_ID}`);
  }
  return { containerID, hostID, size };
}
