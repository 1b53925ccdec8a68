/** The ranges of ids that the machine gives an ordinary user, to map in a user namespace. */
import { readText } from "./file.ts";
import type { IdRange } from "./user-namespace.ts";

/**
 * The id map in which root is a user, and the ids from 1 on are its ranges. Pure.
 * @param text of `/etc/subuid` or `/etc/subgid`
 * @param names what the user may be called there: its name and its number
 * @returns `null` for a user without ranges
 * @see subuid(5)
 */
export function mapOfRanges(text: string, names: readonly string[], id: number): IdRange[] | null {
  const maps: IdRange[] = [{ containerID: 0, hostID: id, size: 1 }];
  let next = 1;
  for (const line of text.split("\n")) {
    const match = /^([^:#]+):(\d+):(\d+)\s*$/.exec(line);
    const [hostID, size] = [Number(match?.[2]), Number(match?.[3])];
    if (match === null || !names.includes(match[1] as string) || size === 0) continue;
    maps.push({ containerID: next, hostID, size });
    next += size;
  }
  return maps.length === 1 ? null : maps;
}

/** The name of a user, as `/etc/passwd` has it; `null` for one that it does not have. Pure. */
export function userNameOf(passwd: string, uid: number): string | null {
  const line = passwd.split("\n").find((one) => one.split(":")[2] === `${uid}`);
  return line?.split(":")[0] || null;
}

/** The maps of the user that this process runs as. @returns `null` where the machine has no ranges for it */
export function subordinateMaps(uid: number, gid: number): { uid: IdRange[]; gid: IdRange[] } | null {
  const name = userNameOf(readIfThere("/etc/passwd"), uid);
  const names = [...(name === null ? [] : [name]), `${uid}`];
  const uids = mapOfRanges(readIfThere("/etc/subuid"), names, uid);
  const gids = mapOfRanges(readIfThere("/etc/subgid"), names, gid);
  return uids === null || gids === null ? null : { uid: uids, gid: gids };
}

function readIfThere(path: string): string {
  try {
    return readText(path);
  } catch {
    return "";
  }
}
