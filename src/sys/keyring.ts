/** Session keyrings. @see keyctl(2), session-keyring(7) */

import { check } from "./error.ts";
import { cString, syscall } from "./ffi.ts";
import { decode } from "./text.ts";

const KEYCTL_JOIN_SESSION_KEYRING = 1;
const KEYCTL_SETPERM = 5;
const KEYCTL_DESCRIBE = 6;

/** "Search" among a key's permissions, for a process of the key's user, and for others. @see keyrings(7) */
export const KEY_SEARCH = { user: 0x80000, other: 0x8 } as const;

/**
 * Joins the session keyring of a name, or makes it.
 * @returns the keyring's id
 * @throws {SyscallError} `unable to join session keyring`
 */
export function joinSessionKeyring(name: string): number {
  const result = syscall("keyctl", KEYCTL_JOIN_SESSION_KEYRING, cString(name), null, null, null);
  return check(result, () => `unable to join session keyring: unable to create session key ${name}`);
}

/** Adds permissions to a key's own. @throws {SyscallError} `unable to mod keyring permissions` */
export function addKeyPermissions(key: number, permissions: number): void {
  const what = "unable to mod keyring permissions";
  const memory = new Uint8Array(512);
  check(syscall("keyctl", KEYCTL_DESCRIBE, key, memory, memory.byteLength, null), what);
  // "type;uid;gid;permissions in hexadecimal;description"
  const old = Number.parseInt(decode(memory).split(";")[3] as string, 16);
  check(syscall("keyctl", KEYCTL_SETPERM, key, (old | permissions) >>> 0, null, null), what);
}
