/**
 * Paths inside a container's root directory, resolved by the kernel as if that directory were `/`: no symlink and no
 * `..` leads out, even when someone changes the tree meanwhile.
 *
 * What is made on the way is made a component at a time, below a descriptor.
 */

import { ERRNO } from "./errno.ts";
import { check, SyscallError } from "./error.ts";
import { AT_FDCWD, Fd, O, open } from "./fd.ts";
import { syscall } from "./ffi.ts";
import { openat2, RESOLVE } from "./openat2.ts";
import { fstat, isType } from "./stat.ts";
import { decode } from "./text.ts";

export { openProcfs } from "./procfs.ts";

const { EEXIST, EINVAL, ELOOP, ENOENT } = ERRNO;

/** The kernel's own limit of symlinks in one lookup. @see path_resolution(7) */
const MAX_SYMLINKS = 40;

/**
 * Opens a path inside a root directory; magic links (`/proc/<pid>/fd/…`) are refused.
 * @throws {SyscallError} `open <path> in the rootfs`
 */
export function openInRoot(rootfs: Fd, path: string, flags: number): Fd {
  return new Fd(check(openInRootResult(rootfs, path, flags), () => `open ${path} in the rootfs`));
}

/** {@link openInRoot}. @returns `null` when the path does not exist */
export function findInRoot(rootfs: Fd, path: string, flags: number): Fd | null {
  const result = openInRootResult(rootfs, path, flags);
  if (result === -ENOENT) return null;
  return new Fd(check(result, () => `open ${path} in the rootfs`));
}

function openInRootResult(rootfs: Fd, path: string, flags: number): number {
  return openat2(rootfs.number, path, flags, RESOLVE.IN_ROOT | RESOLVE.NO_MAGICLINKS);
}

/**
 * Opens a directory inside a root directory (`O_PATH`), making it and its parents where they are missing.
 *
 * Dangling symlinks are followed, and what they point to is made, inside the root.
 *
 * @throws {SyscallError} `make directory <path> in the rootfs`
 */
export function mkdirAllInRoot(rootfs: Fd, path: string, mode = 0o755): Fd {
  return makeInRoot(rootfs, path, "directory", mode);
}

/**
 * Opens a path inside a root directory, making it, an empty file, and its parents (mode 0755) where they are missing.
 *
 * Dangling symlinks are followed, and what they point to is made, inside the root.
 *
 * @throws {SyscallError} `make file <path> in the rootfs`
 */
export function createFileInRoot(rootfs: Fd, path: string, mode = 0o644): Fd {
  return makeInRoot(rootfs, path, "file", mode);
}

type Made = "directory" | "file";

function makeInRoot(rootfs: Fd, path: string, last: Made, mode: number): Fd {
  let wanted = path;
  for (let links = 0; links <= MAX_SYMLINKS; links++) {
    const existing = findInRoot(rootfs, wanted, last === "directory" ? O.PATH | O.DIRECTORY : O.PATH);
    if (existing !== null) return existing;
    const made = makeMissing(rootfs, wanted, last, mode);
    if (made instanceof Fd) return made;
    wanted = made;
  }
  throw new SyscallError(`make ${last} ${path} in the rootfs`, ELOOP);
}

/** Makes the missing components of a path. @returns the path to go on with when a dangling symlink is in the way */
function makeMissing(rootfs: Fd, path: string, last: Made, mode: number): Fd | string {
  const what = () => `make ${last} ${path} in the rootfs`;
  const components = path.split("/").filter((name) => name !== "" && name !== ".");
  let { directory, depth } = deepestExisting(rootfs, components);
  try {
    for (; depth < components.length; depth++) {
      const name = components[depth] as string;
      // What does not exist has no parent to go back to.
      if (name === "..") throw new SyscallError(what(), ENOENT);
      const isLast = depth === components.length - 1;
      const next = makeOne(directory.number, name, isLast ? last : "directory", isLast ? mode : 0o755);
      if (next < 0) {
        if (next !== -EEXIST && next !== -ELOOP) check(next, what);
        return [
          ...components.slice(0, depth),
          readlinkAt(directory, name, what),
          ...components.slice(depth + 1),
        ].reduce(
          // A link's absolute target starts from the root again.
          (joined, part) => (part.startsWith("/") ? part : `${joined}/${part}`),
          "",
        );
      }
      directory.close();
      directory = new Fd(next);
    }
    const made = directory;
    directory = new Fd(-1);
    return made;
  } finally {
    if (directory.number >= 0) directory.close();
  }
}

/** Opens the longest prefix that exists; `depth` is its length. */
function deepestExisting(rootfs: Fd, components: readonly string[]): { directory: Fd; depth: number } {
  for (let depth = components.length - 1; ; depth--) {
    const prefix = components.slice(0, depth).join("/") || ".";
    const directory = findInRoot(rootfs, prefix, O.PATH | O.DIRECTORY);
    if (directory !== null) return { directory, depth };
  }
}

/** Makes one component; one that is there already, another was quicker, will do, if it is no symlink. */
function makeOne(directory: number, name: string, made: Made, mode: number): number {
  if (made === "file") {
    const created = syscall("openat", directory, name, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC, mode);
    return created === -EEXIST ? openExisting(directory, name) : created;
  }
  const result = syscall("mkdirat", directory, name, mode);
  if (result < 0 && result !== -EEXIST) return result;
  const opened = syscall("openat", directory, name, O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC, 0);
  return opened < 0 && result === -EEXIST ? -EEXIST : opened;
}

/** Opens what is there, whatever it is; a symlink is -EEXIST. */
function openExisting(directory: number, name: string): number {
  const opened = syscall("openat", directory, name, O.PATH | O.NOFOLLOW | O.CLOEXEC, 0);
  if (opened < 0 || !isType(fstat(opened), "symlink")) return opened;
  syscall("close", opened);
  return -EEXIST;
}

/** The target of a symlink. @throws {SyscallError} EEXIST when the name is none: something else is in the way */
export function readlinkAt(directory: Fd, name: string, what: () => string): string {
  const memory = new Uint8Array(4096);
  const length = syscall("readlinkat", directory.number, name, memory, memory.byteLength);
  if (length === -EINVAL) throw new SyscallError(what(), EEXIST);
  return decode(memory.subarray(0, check(length, what)));
}

/** Opens a host's directory as a root for the functions here. @throws {SyscallError} `open` */
export function openRoot(path: string): Fd {
  return open(path, O.PATH | O.DIRECTORY, 0, AT_FDCWD);
}
