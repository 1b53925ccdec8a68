/**
 * Which ids there are where a process is to run: an ordinary user has those of its own ranges, and the kernel refuses others with EINVAL alone.
 * @see user_namespaces(7), "User and group ID mappings"
 */
import type { IdMapping, User } from "../../config/types.ts";
import { readIdMap } from "../../sys/id-maps.ts";

/** Ids of a user namespace, as they are called inside. */
export type Ids = readonly Pick<IdMapping, "containerID" | "size">[];

export interface MappedIds {
  uids: Ids;
  gids: Ids;
}

/** The ids of a process's user namespace. */
export function mappedIds(pid: number | "self" = "self"): MappedIds {
  return { uids: readIdMap(pid, "uid_map"), gids: readIdMap(pid, "gid_map") };
}

/**
 * A user as it can be there: without supplementary groups that are not mapped, as Podman has it.
 * @param what whose user it is, for errors @returns the groups that were left out, too
 * @throws {Error} for a user or a group that is not mapped
 */
export function fitUser(what: string, user: User, { uids, gids }: MappedIds): { user: User; left: number[] } {
  refuseUnmapped(what, user, { uids, gids });
  const { additionalGids = [], ...rest } = user;
  // Where one group is mapped, the kernel lets nobody set others. @see user_namespaces(7), "/proc/pid/setgroups"
  const isAlone = gids.reduce((sum, { size }) => sum + size, 0) === 1;
  const kept = isAlone ? [] : additionalGids.filter((gid) => has(gids, gid));
  const left = additionalGids.filter((gid) => gid !== user.gid && !kept.includes(gid));
  return { user: kept.length > 0 ? { ...rest, additionalGids: kept } : rest, left };
}

/** @throws {Error} for a user or a group that is not mapped */
export function refuseUnmapped(
  what: string,
  { uid, gid }: Pick<User, "uid" | "gid">,
  { uids, gids }: MappedIds = mappedIds(),
): void {
  const refuse = (kind: string, id: number, ids: Ids, file: string) => {
    if (has(ids, id)) return;
    throw new Error(
      `${what}: the ${kind} id ${id} is not mapped in this user namespace, which has ${inWords(ids)}: ${file} says which are the caller's`,
    );
  };
  refuse("user", uid, uids, "/etc/subuid");
  refuse("group", gid, gids, "/etc/subgid");
}

function has(ids: Ids, id: number): boolean {
  return ids.some(({ containerID, size }) => id >= containerID && id < containerID + size);
}

function inWords(ids: Ids): string {
  const joined: { first: number; end: number }[] = [];
  for (const { containerID: first, size } of [...ids].sort((one, other) => one.containerID - other.containerID)) {
    const last = joined.at(-1);
    if (last !== undefined && last.end === first) last.end += size;
    else joined.push({ first, end: first + size });
  }
  return (
    joined.map(({ first, end }) => (end - first === 1 ? `${first}` : `${first} to ${end - 1}`)).join(", ") || "none"
  );
}
