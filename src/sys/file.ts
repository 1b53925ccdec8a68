/**
 * Files by path or descriptor, each call what its manual page says, retried when a signal interrupts it.
 *
 * Not by `node:fs`: names are bytes, as `text.ts` has them, and errors name the call as all others do.
 */

import { ERRNO } from "./errno.ts";
import { check, SyscallError } from "./error.ts";
import { AT, AT_FDCWD, type Fd, O, open } from "./fd.ts";
import { syscall } from "./ffi.ts";
import { uninterrupted } from "./io.ts";
import { findLinkStat, isDirectory, stat } from "./stat.ts";
import { decode, encode } from "./text.ts";

/** Whether a path leads to something. */
export function exists(path: string): boolean {
  return syscall("faccessat2", AT_FDCWD, path, 0, 0) === 0;
}

/** Whether this process may execute what a path leads to, by its effective ids. @see faccessat2(2), Linux 5.8 */
export function isExecutable(path: string): boolean {
  const X_OK = 1;
  return syscall("faccessat2", AT_FDCWD, path, X_OK, AT.EACCESS) === 0;
}

/** Grows to the largest file read; what is read is copied out of it. */
let scratch = new Uint8Array(65536);

/**
 * The contents of a file, as UTF-8.
 * @throws {SyscallError} `open <path>`, `read <path>`
 */
export function readText(path: string): string {
  using file = open(path, O.RDONLY);
  return readTextOf(file, path);
}

/**
 * What an open file has from its offset on, as UTF-8.
 * @param path its name, for the error
 * @param most bytes that are read: the file may grow meanwhile
 * @throws {SyscallError} `read <path>`: EFBIG when there are more
 */
export function readTextOf(file: Fd, path: string, most = Number.POSITIVE_INFINITY): string {
  return decode(readAll(file.number, path, most));
}

/** All of the standard input, as UTF-8. @param most as for {@link readTextOf} @throws {SyscallError} `read standard input` */
export function readInput(most = Number.POSITIVE_INFINITY): string {
  return decode(readAll(0, "standard input", most));
}

/** Reads to the end. @returns bytes that the next call overwrites */
function readAll(fd: number, path: string, most: number): Uint8Array {
  let length = 0;
  for (;;) {
    const count = check(uninterrupted("read", fd, scratch.subarray(length)), () => `read ${path}`);
    if (count === 0) return scratch.subarray(0, length);
    length += count;
    if (length > most) throw new SyscallError(`read ${path}`, ERRNO.EFBIG);
    if (length === scratch.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(scratch);
      scratch = larger;
    }
  }
}

/** How a file is written. */
export interface WriteOptions {
  /** Permissions of a new file, before the umask. */
  mode?: number;
  /** Fails with EEXIST when there is one already. */
  exclusive?: boolean;
}

/**
 * Writes a file anew: all by one call where the kernel takes it so, as files below `/proc` and `/sys` need it.
 * @throws {SyscallError} `open <path>`, `write <path>`
 */
export function writeFile(path: string, text: string, { mode = 0o666, exclusive = false }: WriteOptions = {}): void {
  using file = open(path, O.WRONLY | O.CREAT | (exclusive ? O.EXCL : O.TRUNC), mode);
  writeOpenFile(file, path, text);
}

/** Writes a text to an open file. @param path its name, for the error @throws {SyscallError} `write <path>` */
export function writeOpenFile(file: Fd, path: string, text: string): void {
  let rest = encode(text);
  do {
    rest = rest.subarray(check(uninterrupted("write", file.number, rest), () => `write ${path}`));
  } while (rest.length > 0);
}

/** The target of a symlink. @throws {SyscallError} `readlink` */
export function readLink(path: string): string {
  return readLinkAt(AT_FDCWD, path);
}

/** The target of a symlink that a descriptor is open on. @see readlinkat(2): an empty path means the descriptor's own */
export function readOpenLink(fd: number): string {
  return readLinkAt(fd, "");
}

function readLinkAt(fd: number, path: string): string {
  const PATH_MAX = 4096;
  const memory = new Uint8Array(PATH_MAX);
  const length = check(
    syscall("readlinkat", fd, path, memory, PATH_MAX),
    () => `readlink ${path || `descriptor ${fd}`}`,
  );
  return decode(memory.subarray(0, length));
}

/** The absolute path of a file, without symlinks. @throws {SyscallError} `open <path>` */
export function realPath(path: string): string {
  using file = open(path, O.PATH);
  return readLink(file.procPath);
}

/** Makes a directory. @throws {SyscallError} `mkdir` */
export function mkdir(path: string, mode = 0o777): void {
  check(syscall("mkdirat", AT_FDCWD, path, mode), () => `mkdir ${path}`);
}

/** Makes a directory and its missing parents; one that is there already will do. @throws {SyscallError} `mkdir` */
export function mkdirAll(path: string, mode = 0o777): void {
  let result = syscall("mkdirat", AT_FDCWD, path, mode);
  const parent = path.slice(0, path.lastIndexOf("/"));
  if (result === -ERRNO.ENOENT && parent !== "") {
    mkdirAll(parent, mode);
    result = syscall("mkdirat", AT_FDCWD, path, mode);
  }
  if (result === -ERRNO.EEXIST && isDirectory(stat(path))) return;
  check(result, () => `mkdir ${path}`);
}

/** Removes a file. @throws {SyscallError} `unlink` */
export function unlink(path: string): void {
  check(syscall("unlinkat", AT_FDCWD, path, 0), () => `unlink ${path}`);
}

/** Removes a file that may be gone already. @throws {SyscallError} `unlink` */
export function unlinkIfThere(path: string): void {
  const result = syscall("unlinkat", AT_FDCWD, path, 0);
  if (result !== -ERRNO.ENOENT) check(result, () => `unlink ${path}`);
}

/** Removes an empty directory. @throws {SyscallError} `rmdir` */
export function rmdir(path: string): void {
  check(syscall("unlinkat", AT_FDCWD, path, AT.REMOVEDIR), () => `rmdir ${path}`);
}

/**
 * Removes whatever is at a path, a directory with all that is in it; nothing is fine too. What comes into the place of a
 * directory meanwhile, such as a symlink to another, is not gone into.
 * @throws {SyscallError}
 */
export function removeAll(path: string): void {
  removeEntry(AT_FDCWD, path, path);
}

function removeEntry(directory: number, name: string, path: string): void {
  const result = syscall("unlinkat", directory, name, 0);
  if (result === -ERRNO.ENOENT) return;
  if (result !== -ERRNO.EISDIR) return void check(result, () => `unlink ${path}`);
  using opened = open(name, O.RDONLY | O.DIRECTORY | O.NOFOLLOW, 0, directory);
  for (const entry of readEntries(opened, path)) removeEntry(opened.number, entry.name, `${path}/${entry.name}`);
  check(syscall("unlinkat", directory, name, AT.REMOVEDIR), () => `rmdir ${path}`);
}

/** Gives a file another name, replacing what has that. @throws {SyscallError} `rename` */
export function rename(from: string, to: string): void {
  check(syscall("renameat2", AT_FDCWD, from, AT_FDCWD, to, 0), () => `rename ${from} to ${to}`);
}

/** Gives a file a name that nothing else has. @returns whether it was free @throws {SyscallError} `rename` @see renameat2(2), RENAME_NOREPLACE */
export function renameIfFree(from: string, to: string): boolean {
  const RENAME_NOREPLACE = 1;
  const result = syscall("renameat2", AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
  // Not every filesystem knows the flag.
  if (result === -ERRNO.EEXIST || (result === -ERRNO.EINVAL && exists(to))) return false;
  if (result === -ERRNO.EINVAL) rename(from, to);
  else check(result, () => `rename ${from} to ${to}`);
  return true;
}

/**
 * Puts a file in the place of another, at once, and removes that. By an exchange of names where the filesystem has it:
 * of a file renamed onto another, ext4 would begin to write the contents to disk, 0.4 ms until both are gone.
 * @throws {SyscallError} `rename`, `unlink`
 * @see renameat2(2), RENAME_EXCHANGE
 */
export function replace(path: string, by: string): void {
  const RENAME_EXCHANGE = 2;
  if (syscall("renameat2", AT_FDCWD, by, AT_FDCWD, path, RENAME_EXCHANGE) === 0) unlink(by);
  else rename(by, path);
}

/** Sets permissions. @throws {SyscallError} `chmod` */
export function chmod(path: string, mode: number): void {
  check(syscall("fchmodat", AT_FDCWD, path, mode, 0), () => `chmod ${path}`);
}

/** An entry of a directory. */
export interface DirectoryEntry {
  name: string;
  isDirectory: boolean;
}

/** The entries of a directory, without `.` and `..`. @throws {SyscallError} `open <path>`, `read <path>` @see getdents64(2) */
export function readDirectory(path: string): DirectoryEntry[] {
  using directory = open(path, O.RDONLY | O.DIRECTORY);
  return readEntries(directory, path);
}

/** The entries of a directory that a descriptor is open on, `O_PATH` or not, as {@link readDirectory} gives them. */
export function readOpenDirectory(directory: Fd): DirectoryEntry[] {
  using listed = open(".", O.RDONLY | O.DIRECTORY, 0, directory.number);
  return readEntries(listed, `directory of descriptor ${directory.number}`);
}

function readEntries(directory: Fd, path: string): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  const memory = new Uint8Array(32768);
  const view = new DataView(memory.buffer);
  for (;;) {
    const length = check(syscall("getdents64", directory.number, memory, memory.length), () => `read ${path}`);
    if (length === 0) return entries;
    // struct linux_dirent64: ino (8 bytes), off (8), reclen (2), type (1), name, NUL
    for (let at = 0; at < length; at += view.getUint16(at + 16, true)) {
      const name = decode(memory.subarray(at + 19, memory.indexOf(0, at + 19)));
      if (name === "." || name === "..") continue;
      entries.push({ name, isDirectory: isDirectoryType(memory[at + 18] as number, directory, name) });
    }
  }
}

/** @param type `d_type`; some filesystems do not tell it */
function isDirectoryType(type: number, directory: Fd, name: string): boolean {
  const [DT_UNKNOWN, DT_DIR] = [0, 4];
  if (type !== DT_UNKNOWN) return type === DT_DIR;
  const found = findLinkStat(name, directory.number);
  return found !== null && isDirectory(found);
}
