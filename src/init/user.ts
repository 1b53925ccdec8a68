/** The change of user, and what depends on whose process this is: directory, home, standard streams. */

import { ERRNO } from "../sys/errno.ts";
import { check, hasErrno, SyscallError } from "../sys/error.ts";
import { O, open } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { exists, readText } from "../sys/file.ts";
import { readSome } from "../sys/io.ts";
import { fstat, isType } from "../sys/stat.ts";
import { decode } from "../sys/text.ts";
import * as user from "../sys/user.ts";
import type { InitContext } from "./context.ts";

const EPERM = 1;
const EACCES = 13;

/**
 * Changes to the working directory: before the change of user, and again after it where that was not permitted, since
 * the directory may be open to the user only (think of a FUSE mount, or a user namespace).
 */
export function changeDirectory(path: string, retry: boolean, context: InitContext): void {
  if (retry && !context.directoryRefused) return;
  const errno = user.changeDirectory(path);
  context.directoryRefused = errno === EACCES || errno === EPERM;
  if (errno === 0 || (context.directoryRefused && !retry)) return;
  throw new SyscallError(`chdir to cwd (${JSON.stringify(path)}) set in config.json failed`, errno);
}

/**
 * A directory outside the container's root would give the container the host's files.
 * @see CVE-2024-21626
 */
export function verifyDirectory(): void {
  let directory: string;
  try {
    directory = user.currentDirectory();
  } catch (error) {
    if (!hasErrno(error, "ENOENT")) throw error;
    directory = "";
  }
  if (directory.startsWith("/")) return;
  throw new Error(
    "current working directory is outside of container mount namespace root -- possible container breakout detected",
  );
}

/** Sets the supplementary groups, unless this user namespace denies that to everyone. */
export function setSupplementaryGroups(gids: readonly number[]): void {
  if (user.setGroups(gids)) return;
  if (setgroupsPolicy() !== "deny") throw new SyscallError(`setgroups ${gids.join(",")}`, EPERM);
}

/** `allow` or `deny`; `null` when there is no procfs to say it. @see user_namespaces(7) */
function setgroupsPolicy(): string | null {
  try {
    return readText("/proc/self/setgroups").trim();
  } catch {
    return null;
  }
}

/**
 * Gives the standard streams to the user, who could not open `/dev/stdout` again otherwise. `/dev/null` stays as it is,
 * and so does what may not be changed: a stream whose owner has no id here, or on a read-only filesystem. That the user has
 * none either (EINVAL) is for the change of user to say.
 */
export function ownStdio(uid: number): void {
  for (const fd of [0, 1, 2]) {
    const { uid: owner, rdev } = fstat(fd);
    if (owner === uid || rdev === DEV_NULL) continue;
    const result = syscall("fchown", fd, uid, -1);
    if (![-ERRNO.EPERM, -ERRNO.EROFS, -ERRNO.EINVAL].includes(result)) check(result, () => `chown descriptor ${fd}`);
  }
}

/** Device 1:3. */
const DEV_NULL = 0x103;

/** Longest part of `/etc/passwd` that is read: the file is the container's, and may be anything. */
const PASSWD_BYTES = 1 << 20;

/** The home directory of a user of the container by its `/etc/passwd`; `/` when it has none. @see passwd(5) */
export function homeOf(uid: number): string {
  for (const line of readPasswd().split("\n")) {
    if (line.startsWith("#")) continue;
    const fields = line.split(":");
    if (fields.length >= 6 && fields[2] === String(uid)) return fields[5] as string;
  }
  return "/";
}

function readPasswd(): string {
  // Images without one are common.
  if (!exists("/etc/passwd")) return "";
  try {
    using file = open("/etc/passwd", O.RDONLY | O.NONBLOCK | O.NOCTTY);
    const stats = fstat(file.number);
    if (!isType(stats, "regular")) return "";
    const memory = new Uint8Array(stats.size < PASSWD_BYTES ? stats.size : PASSWD_BYTES);
    return decode(memory.subarray(0, readSome(file.number, memory) ?? 0));
  } catch {
    return "";
  }
}
