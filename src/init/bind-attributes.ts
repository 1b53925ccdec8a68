/** The attributes of bind mounts, and the locks of user namespaces on them. */
import { ERRNO } from "../sys/errno.ts";
import { check } from "../sys/error.ts";
import type { Fd } from "../sys/fd.ts";
import { isAccessTime, type MountAttribute, mountSetAttributesResult } from "../sys/mount.ts";
import { fstatfs } from "../sys/statfs.ts";

/** What a bind sets and takes back. */
export interface BindAttributes {
  set: readonly MountAttribute[];
  clear: readonly MountAttribute[];
}

/** Attributes that a bind with options of its own does not take over from its source; access times it does. */
const NOT_INHERITED: readonly MountAttribute[] = ["ro", "nosuid", "nodev", "noexec", "nosymfollow"];

/** `ST_*` bits of the attributes that a user namespace can lock. @see statfs(2), mount_namespaces(7) */
const LOCKABLE: Partial<Record<MountAttribute, number>> = {
  ro: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  noatime: 1024,
  nodiratime: 2048,
  relatime: 4096,
};

/**
 * Gives a bind mount the attributes that are asked for, and no others, access times apart. Where a user namespace has
 * locked some that came with the source, they stay, unless one of them was to be cleared by name.
 *
 * `rw` is such a name, but one that Podman writes on every mount that is not to be read-only: it is no more than a wish.
 *
 * @param warn takes what was not to be had; without, that is an error, too
 * @throws {Error} when a locked attribute stands against what is asked for
 */
export function setBindAttributes(
  mount: Fd,
  { set, clear }: BindAttributes,
  warn: ((message: string) => void) | null = null,
): void {
  const times = accessTimes(set);
  const wanted = [...set.filter((name) => !isTime(name)), ...times.set];
  const others = NOT_INHERITED.filter((name) => !set.includes(name));
  const result = mountSetAttributesResult(mount, { set: wanted, clear: [...others, ...times.clear] });
  if (result === 0) return;
  if (result !== -ERRNO.EPERM) check(result, () => `mount_setattr ${words({ set, clear })}`);
  const { flags } = fstatfs(mount.number);
  const isLocked = (name: MountAttribute) => (flags & (LOCKABLE[name] ?? 0)) !== 0;
  const locked = clear.filter((name) => isLocked(name) && !(name === "ro" && warn !== null));
  if (locked.length > 0) throw new Error(`cannot clear locked flags ${locked.join(",")}: operation not permitted`);
  // What is not locked is taken back after all.
  const clearable = [...others.filter((name) => !isLocked(name)), ...times.clear];
  if (mountSetAttributesResult(mount, { set: wanted, clear: clearable }) === 0) {
    if (clear.includes("ro"))
      warn?.("rw is not permitted: the source is read-only, and so is the mount, in this user namespace");
    return;
  }
  throw new Error(`cannot set ${words({ set, clear })} against locked flags of the source: operation not permitted`);
}

/**
 * What one option about access times means for all of them: the others go, and `nodiratime` alone brings `relatime`. An
 * option that takes one back (`atime`) changes nothing, as with mount(8).
 */
function accessTimes(set: readonly MountAttribute[]): { set: MountAttribute[]; clear: MountAttribute[] } {
  const given = set.filter(isTime);
  if (given.length === 0) return { set: [], clear: [] };
  // Any other setting is stronger.
  return { set: ["relatime", ...given], clear: given.includes("nodiratime") ? [] : ["nodiratime"] };
}

function isTime(name: MountAttribute): boolean {
  return name === "nodiratime" || isAccessTime(name);
}

function words({ set, clear }: BindAttributes): string {
  return `[${[...set, ...clear.map((name) => `-${name}`)].join(",")}]`;
}
