/**
 * A copy of the executable that nothing can write to.
 *
 * The init's `/proc/<pid>/exe` leads to the file that it was started from, so a container could overwrite the host's
 * runtime through it (CVE-2019-5736). The commands that start processes therefore run from a read-only mount of the
 * executable that belongs to no mount namespace. The launcher makes it where it may; here are the other ways.
 */

import { check } from "./error.ts";
import { enginePath } from "./executable.ts";
import { AT, AT_FDCWD, Fd, O, open } from "./fd.ts";
import { syscall } from "./ffi.ts";
import { copyAll } from "./io.ts";
import { NAMESPACE_FLAGS } from "./namespace.ts";
import { exit, fork, waitPid } from "./process.ts";
import { receiveMessage, sendMessage, socketpair } from "./socket.ts";
import { fstat, isSameFile, stat } from "./stat.ts";
import { encode } from "./text.ts";

const OPEN_TREE_CLONE = 1;
const MOUNT_ATTR_RDONLY = 1n;

/** Where the running executable can be opened. */
const SELF = "/proc/self/exe";

/**
 * Opens the running executable so that nothing can write to it, as one who may not make mounts: a child in a user and mount
 * namespace of its own makes the mount and hands it over. Where that does not work either, the executable is copied to
 * memory, which takes longer.
 * @throws {Error} when this process has more than one thread
 */
export function sealExecutable(): Fd {
  const [ours, theirs] = socketpair();
  const flags = BigInt(NAMESPACE_FLAGS.user | NAMESPACE_FLAGS.mount);
  let child: number;
  try {
    child = fork({ flags });
  } catch {
    return copyToMemory();
  }
  if (child === 0) {
    try {
      const sealed = mountReadonly(enginePath());
      if (isRunning(sealed)) sendMessage(theirs.number, encode("sealed"), [sealed.number]);
    } finally {
      exit(0);
    }
  }
  theirs.close();
  const answer = receiveMessage(ours.number);
  ours.close();
  waitPid(child);
  return answer?.fds[0] ?? copyToMemory();
}

/**
 * Opens a file on a read-only mount of its own.
 * @param path not through `/proc/self/exe`, which leads into the mount namespace left behind: no cloning of its mounts (EINVAL)
 * @throws {SyscallError} `open_tree`, `mount_setattr`
 * @see open_tree(2), mount_setattr(2); Linux 5.12
 */
function mountReadonly(path: string): Fd {
  const tree = syscall("open_tree", AT_FDCWD, path, OPEN_TREE_CLONE | O.CLOEXEC);
  const fd = new Fd(check(tree, `open_tree ${path}`));
  const attributes = new BigUint64Array([MOUNT_ATTR_RDONLY, 0n, 0n, 0n]);
  check(
    syscall("mount_setattr", fd.number, "", AT.EMPTY_PATH, attributes, attributes.byteLength),
    `mount_setattr ${path} [ro]`,
  );
  return fd;
}

/** Whether a file is the running executable: at its path there may be another by now. */
function isRunning({ number }: Fd): boolean {
  return isSameFile(fstat(number), stat(SELF));
}

/** A sealed copy in memory: the way for kernels and places without the mount API. @see memfd_create(2) */
function copyToMemory(): Fd {
  const MFD_CLOEXEC = 1;
  const MFD_ALLOW_SEALING = 2;
  const F_ADD_SEALS = 1033;
  const ALL_SEALS = 0xf; // seal, shrink, grow, write
  const memory = new Fd(check(syscall("memfd_create", "tsrunc", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create"));
  using source = open(SELF, O.RDONLY);
  copyAll(source.number, memory.number, () => `copy ${SELF}`);
  check(syscall("fcntl", memory.number, F_ADD_SEALS, ALL_SEALS), "seal the copy of the executable");
  return memory;
}
