/**
 * Files of procfs that are certain to be files of procfs: whoever arranged the container's mounts may have put something
 * else under their names (CVE-2019-16884, CVE-2025-52881).
 */

import { ERRNO } from "./errno.ts";
import { check } from "./error.ts";
import { Fd, O } from "./fd.ts";
import { syscall } from "./ffi.ts";
import { fsconfigCreate, fsmount, fsopen } from "./filesystem-context.ts";
import { openTree } from "./mount.ts";
import { openat2, RESOLVE } from "./openat2.ts";
import { fstat } from "./stat.ts";
import { FILESYSTEM, fstatfs } from "./statfs.ts";

const { ENOENT } = ERRNO;
/** The inode of procfs's root, and of nothing else in it. @see linux/proc_ns.h, PROC_ROOT_INO */
const PROC_ROOT_INODE = 1n;

/**
 * Opens a file of procfs, close-on-exec.
 *
 * The `/proc` at hand will do when it is the root of a procfs and nothing is mounted over the path in it; otherwise an
 * instance of procfs is made that nobody else sees.
 *
 * @param path relative to `/proc`: `self/attr/exec`, `sys/net/ipv4/ip_forward`
 * @throws {SyscallError} `open /proc/<path>`
 */
export function openProcfs(path: string, flags: number): Fd {
  let result = -ENOENT;
  for (const openRoot of [mountedProcfs, privateProcfs, clonedProcfs]) {
    using root = openRoot();
    if (root === null) continue;
    result = openat2(root.number, path, flags, RESOLVE.BENEATH | RESOLVE.NO_XDEV | RESOLVE.NO_MAGICLINKS);
    if (result >= 0) return new Fd(result);
    // EXDEV: something is mounted over it. Any other error another instance would give too.
    if (result !== -ERRNO.EXDEV) break;
  }
  return new Fd(check(result, () => `open /proc/${path}`));
}

/**
 * Opens the directory of this process's descriptors. A number below it, opened, is the very file that the descriptor is
 * open on, and no path is resolved on the way.
 * @throws {SyscallError} `open /proc/self/fd`
 */
export function openDescriptors(): Fd {
  return openProcfs("self/fd", O.PATH | O.DIRECTORY);
}

/** `/proc` as it is mounted, if it is the root of a procfs. */
function mountedProcfs(): Fd | null {
  const fd = syscall("openat", -100, "/proc", O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC, 0);
  return fd < 0 ? null : ifProcfsRoot(new Fd(fd));
}

/** A procfs of this process's own, mounted nowhere. In a user namespace the kernel may refuse it. */
function privateProcfs(): Fd | null {
  const context = fsopen("proc");
  if (context === null) return null;
  using _ = context;
  return fsconfigCreate(context) ? fsmount(context, []) : null;
}

/** `/proc` without what is mounted over parts of it. */
function clonedProcfs(): Fd | null {
  try {
    return ifProcfsRoot(openTree("/proc", { clone: true, recursive: false }));
  } catch {
    return null;
  }
}

function ifProcfsRoot(fd: Fd): Fd | null {
  if (fstatfs(fd.number).type === FILESYSTEM.proc && fstat(fd.number).ino === PROC_ROOT_INODE) return fd;
  fd.close();
  return null;
}
