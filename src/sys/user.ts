/** The user that a process runs as, and other attributes that it has of its own. */

import { check, SyscallError } from "./error.ts";
import { syscall } from "./ffi.ts";
import { decode, encode } from "./text.ts";

/** Makes this process the leader of a new session. @throws {SyscallError} `setsid` @see setsid(2) */
export function setsid(): void {
  check(syscall("setsid"), "setsid");
}

/** Puts this process into a process group of its own, which the keys of its terminal do not reach. @throws {SyscallError} `setpgid` @see setpgid(2) */
export function ownProcessGroup(): void {
  check(syscall("setpgid", 0, 0), "setpgid");
}

/** Sets the supplementary groups. @returns false when this user namespace denies it, or the process may not @see setgroups(2) */
export function setGroups(gids: readonly number[]): boolean {
  const EPERM = 1;
  const result = syscall("setgroups", gids.length, new Uint32Array(gids));
  if (result === -EPERM) return false;
  check(result, () => `setgroups ${gids.join(",")}`);
  return true;
}

/** Sets the real, effective and saved gid. @throws {SyscallError} @throws {Error} for a gid without a mapping @see setresgid(2) */
export function setGid(gid: number): void {
  checkId(syscall("setresgid", gid, gid, gid), "gid", gid);
}

/** Sets the real, effective and saved uid. @throws {SyscallError} @throws {Error} for a uid without a mapping @see setresuid(2) */
export function setUid(uid: number): void {
  checkId(syscall("setresuid", uid, uid, uid), "uid", uid);
}

function checkId(result: number, what: "uid" | "gid", id: number): void {
  const EINVAL = 22;
  if (result === -EINVAL)
    throw new SyscallError(`cannot set${what} to unmapped ${what} ${id} in user namespace`, EINVAL);
  check(result, () => `set${what} ${id}`);
}

/** Sets the mask of permission bits that new files do not get. @see umask(2) */
export function setUmask(mask: number): void {
  syscall("umask", mask);
}

/** Changes the directory. @returns the positive errno, or 0 @see chdir(2) */
export function changeDirectory(path: string): number {
  return -syscall("chdir", path);
}

/**
 * The current directory as the kernel itself says it: not absolute when it lies outside this process's root or mount
 * namespace, where libc's getcwd(3) only says ENOENT.
 * @throws {SyscallError} ENOENT when it has been removed
 * @see getcwd(2)
 */
export function currentDirectory(): string {
  const memory = new Uint8Array(4096);
  const length = check(syscall("getcwd", memory, memory.byteLength), "getcwd");
  return decode(memory.subarray(0, length - 1));
}

/** Sets this UTS namespace's host name. @throws {SyscallError} @see sethostname(2) */
export function setHostname(name: string): void {
  check(syscall("sethostname", name, encode(name).length), `sethostname ${name}`);
}

/** Sets this UTS namespace's NIS domain name. @throws {SyscallError} @see setdomainname(2) */
export function setDomainname(name: string): void {
  check(syscall("setdomainname", name, encode(name).length), `setdomainname ${name}`);
}

/** Whether this process may execute a file, by its effective ids. @returns the positive errno, or 0 @see faccessat2(2), Linux 5.8 */
export function executable(path: string): number {
  const AT_FDCWD = -100;
  const X_OK = 1;
  const AT_EACCESS = 0x200;
  return -syscall("faccessat2", AT_FDCWD, path, X_OK, AT_EACCESS);
}
