/**
 * Files below a directory's descriptor, by names that are bytes. Nothing here follows a symlink in the last component of a path.
 *
 * Each function returns what the kernel does, `-errno` for a failure, so that a caller who expects one need not catch it.
 */
import type { ByteName } from "./byte-name.ts";
import { nameOfBytes } from "./byte-name.ts";
import { ERRNO } from "./errno.ts";
import { AT, AT_FDCWD, O } from "./fd.ts";
import { syscall } from "./ffi.ts";
import { RESOLVE } from "./openat2.ts";
import { type Stat, statxOf } from "./stat.ts";

const { EAGAIN, EINTR, EINVAL, ENAMETOOLONG } = ERRNO;

/** Bytes of a path with its NUL. @see path_resolution(7) */
const PATH_MAX = 4096;

/** Where names are put for a call, which may have two of them. */
const first = Buffer.alloc(PATH_MAX);
const second = Buffer.alloc(PATH_MAX);

/** Puts a name into memory. @returns `null` for one that no path can be */
function put(name: ByteName, memory: Buffer): Buffer | null {
  if (name.length >= PATH_MAX) return null;
  memory[memory.write(name, 0, "latin1")] = 0;
  return memory;
}

/** @see openat(2) */
export function openAt(directory: number, name: ByteName, flags: number, mode = 0): number {
  const path = put(name, first);
  return path === null ? -ENAMETOOLONG : syscall("openat", directory, path, flags | O.NOFOLLOW | O.CLOEXEC, mode);
}

const how = new BigUint64Array(3);

/**
 * Opens a path below a directory: no symlink is followed on the way, no `..` leads out.
 * @param resolve further {@link RESOLVE} bits
 * @returns a descriptor; `-ELOOP` where there is a symlink on the way or in the end, `-EXDEV` for a way out
 * @see openat2(2), Linux 5.6
 */
export function openBeneath(directory: number, path: ByteName, flags: number, resolve = 0): number {
  const memory = put(path === "" ? ("." as ByteName) : path, first);
  if (memory === null) return -ENAMETOOLONG;
  how[0] = BigInt(flags | O.CLOEXEC);
  how[2] = BigInt(RESOLVE.BENEATH | RESOLVE.NO_MAGICLINKS | RESOLVE.NO_SYMLINKS | resolve);
  for (;;) {
    const result = syscall("openat2", directory, memory, how, how.byteLength);
    if (result !== -EAGAIN && result !== -EINTR) return result;
  }
}

/** Closes a descriptor. */
export function closeFd(fd: number): void {
  syscall("close_range", fd, fd, 0);
}

/** @see mkdir(2) */
export function mkdirAt(directory: number, name: ByteName, mode: number): number {
  const path = put(name, first);
  return path === null ? -ENAMETOOLONG : syscall("mkdirat", directory, path, mode);
}

/** @param mode with the type of file @param device as {@link deviceNumber} makes it @see mknod(2) */
export function mknodAt(directory: number, name: ByteName, mode: number, device: number): number {
  const path = put(name, first);
  return path === null ? -ENAMETOOLONG : syscall("mknodat", directory, path, mode, device);
}

/** @see symlink(2) */
export function symlinkAt(target: ByteName, directory: number, name: ByteName): number {
  const [text, path] = [put(target, first), put(name, second)];
  return text === null || path === null ? -ENAMETOOLONG : syscall("symlinkat", text, directory, path);
}

/** Gives a file, a symlink itself, another name. @see link(2) */
export function linkAt(fromDirectory: number, from: ByteName, directory: number, name: ByteName): number {
  const [old, path] = [put(from, first), put(name, second)];
  return old === null || path === null ? -ENAMETOOLONG : syscall("linkat", fromDirectory, old, directory, path, 0);
}

/** @see rename(2) */
export function renameAt(fromDirectory: number, from: ByteName, directory: number, name: ByteName): number {
  const [old, path] = [put(from, first), put(name, second)];
  return old === null || path === null ? -ENAMETOOLONG : syscall("renameat2", fromDirectory, old, directory, path, 0);
}

/** Removes a file, or with `AT.REMOVEDIR` an empty directory. @see unlink(2) */
export function unlinkAt(directory: number, name: ByteName, flags = 0): number {
  const path = put(name, first);
  return path === null ? -ENAMETOOLONG : syscall("unlinkat", directory, path, flags);
}

const target = new Uint8Array(PATH_MAX);

/** A symlink's target; `null` for what is none, or is not there. @see readlink(2) */
export function readLinkAt(directory: number, name: ByteName): ByteName | null {
  const path = put(name, first);
  const length = path === null ? -EINVAL : syscall("readlinkat", directory, path, target, PATH_MAX);
  return length < 0 ? null : nameOfBytes(target.subarray(0, length));
}

/** The status of a file, a symlink itself; for the empty name of the descriptor's own. @returns `-errno` where there is none */
export function statAt(directory: number, name: ByteName): Stat | number {
  const path = put(name, first);
  return path === null ? -ENAMETOOLONG : statxOf(directory, path, AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH);
}

/** @see chown(2) */
export function chownAt(directory: number, name: ByteName, uid: number, gid: number): number {
  const path = put(name, first);
  return path === null
    ? -ENAMETOOLONG
    : syscall("fchownat", directory, path, uid, gid, AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH);
}

/** Sets permissions of what is no symlink; the name must be one that the caller has just made. @see chmod(2) */
export function chmodAt(directory: number, name: ByteName, mode: number): number {
  const path = put(name, first);
  return path === null ? -ENAMETOOLONG : syscall("fchmodat", directory, path, mode, 0);
}

/** Sets the permissions of what a descriptor is open on, also one for paths alone (O_PATH), which fchmod(2) does not take. */
export function chmodOpened(fd: number, mode: number): number {
  return chmodAt(AT_FDCWD, `/proc/self/fd/${fd}` as ByteName, mode);
}

const times = new BigInt64Array(4);

/** Sets the times of access and of change of contents, in nanoseconds since 1970; for the empty name of the descriptor's own. @see utimensat(2) */
export function utimesAt(directory: number, name: ByteName, atime: bigint, mtime: bigint): number {
  const path = put(name, first);
  if (path === null) return -ENAMETOOLONG;
  setTime(0, atime);
  setTime(2, mtime);
  return syscall("utimensat", directory, path, times, AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH);
}

const SECOND = 1_000_000_000n;

function setTime(at: number, time: bigint): void {
  const nanoseconds = ((time % SECOND) + SECOND) % SECOND;
  times[at] = (time - nanoseconds) / SECOND;
  times[at + 1] = nanoseconds;
}

/** What `d_type` says; some filesystems do not tell. */
export const ENTRY_TYPE = { unknown: 0, characterDevice: 2, directory: 4, file: 8, symlink: 10 } as const;

/** An entry of a directory. */
export interface NamedEntry {
  name: ByteName;
  /** See {@link ENTRY_TYPE}; there are others. */
  type: number;
}

/** The entries of an open directory, without `.` and `..`. @returns `-errno` @see getdents64(2) */
export function listDirectory(directory: number): NamedEntry[] | number {
  const SEEK_SET = 0;
  syscall("lseek", directory, 0, SEEK_SET);
  const entries: NamedEntry[] = [];
  const memory = new Uint8Array(32768);
  const view = new DataView(memory.buffer);
  for (;;) {
    const length = syscall("getdents64", directory, memory, memory.length);
    if (length < 0) return length;
    if (length === 0) return entries;
    // struct linux_dirent64: ino (8 bytes), off (8), reclen (2), type (1), name, NUL
    for (let at = 0; at < length; at += view.getUint16(at + 16, true)) {
      const name = nameOfBytes(memory.subarray(at + 19, memory.indexOf(0, at + 19)));
      if (name !== "." && name !== "..") entries.push({ name, type: memory[at + 18] as number });
    }
  }
}

/** A device's number from its parts. @returns a number of 32 bits, as mknod(2) takes it */
export function deviceNumber(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}
