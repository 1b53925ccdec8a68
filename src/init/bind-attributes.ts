/** The attributes of bind mounts, and the locks of user namespaces on them. */

import { constants } from "node:os";
import type { Fd } from "../sys/fd.ts";
import type { MountAttribute } from "../sys/mount.ts";
import { mountSetAttributes, mountSetAttributesResult } from "../sys/mount.ts";
import { fstatfs } from "../sys/statfs.ts";

/** What a bind sets and takes back. */
export interface BindAttributes {
  set: readonly MountAttribute[];
  clear: readonly MountAttribute[];
}

/** Attributes that a bind with options of its own does not take over from its source. */
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
 * @throws {Error} when a locked attribute stands against what is asked for
 */
export function setBindAttributes(mount: Fd, { set, clear }: BindAttributes): void {
  const exact = [...new Set([...clear, ...NOT_INHERITED])].filter((name) => !set.includes(name));
  const result = mountSetAttributesResult(mount, { set, clear: exact });
  if (result === 0) return;
  const words = `[${[...set, ...clear.map((name) => `-${name}`)].join(",")}]`;
  if (result !== -constants.errno.EPERM) return mountSetAttributes(mount, { set, clear: exact });
  if (mountSetAttributesResult(mount, { set, clear }) === 0) return;
  const { flags } = fstatfs(mount.number);
  const locked = clear.filter((name) => (flags & (LOCKABLE[name] ?? 0)) !== 0);
  if (locked.length > 0) throw new Error(`cannot clear locked flags ${locked.join(",")}: operation not permitted`);
  throw new Error(`cannot set ${words} against locked flags of the source: operation not permitted`);
}
