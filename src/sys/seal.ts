/**
 * A copy of the executable that nothing can write to.
 *
 * The init's `/proc/<pid>/exe` leads to the file that it was started from, so a container could overwrite the host's
 * runtime through it (CVE-2019-5736). The commands that start processes therefore run from a read-only mount of the
 * executable that belongs to no mount namespace.
 */
import { fstatSync, statSync } from "node:fs";
import { constants } from "node:os";
import { check } from "./error.ts";
import { executablePath } from "./executable.ts";
import { AT, AT_FDCWD, Fd, O, open } from "./fd.ts";
import { syscall } from "./ffi.ts";
import { NAMESPACE_FLAGS } from "./namespace.ts";
import { exit, fork, waitPid } from "./process.ts";
import { receiveMessage, sendMessage, socketpair } from "./socket.ts";

const OPEN_TREE_CLONE = 1;
const MOUNT_ATTR_RDONLY = 1n;
const { EPERM, ENOSYS } = constants.errno;

/** Where the running executable can be opened. */
const SELF = "/proc/self/exe";

/** What {@link sealExecutable} found. */
export type Sealed =
  | { kind: "sealed"; fd: Fd }
  /** This process may not make mounts; {@link sealInUserNamespace} can, once there is one thread. */
  | { kind: "not-permitted" };

/**
 * Opens the running executable on a read-only mount of its own.
 * @param path where it can be opened; through `/proc/self/exe` only in the mount namespace that it was started in
 * @throws {SyscallError} `open_tree`, `mount_setattr`
 * @see open_tree(2), mount_setattr(2); Linux 5.12
 */
export function sealExecutable(path: string = SELF): Sealed {
  const tree = syscall("open_tree", AT_FDCWD, path, OPEN_TREE_CLONE | O.CLOEXEC);
  if (tree === -EPERM) return { kind: "not-permitted" };
  if (tree === -ENOSYS) return { kind: "sealed", fd: copyToMemory() };
  const fd = new Fd(check(tree, `open_tree ${path}`));
  const attributes = new BigUint64Array([MOUNT_ATTR_RDONLY, 0n, 0n, 0n]);
  check(
    syscall("mount_setattr", fd.number, "", AT.EMPTY_PATH, attributes, attributes.byteLength),
    `mount_setattr ${path} [ro]`,
  );
  return { kind: "sealed", fd };
}

/**
 * Does the same for an ordinary user: a child in a user and mount namespace of its own makes the mount and hands it over.
 * Where user namespaces are not allowed, the executable is copied to memory instead, which takes longer.
 * @throws {Error} when this process has more than one thread
 */
export function sealInUserNamespace(): Fd {
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
      // /proc/self/exe leads into the mount namespace left behind, whose mounts cannot be cloned (EINVAL).
      const sealed = sealExecutable(executablePath());
      if (sealed.kind === "sealed" && isRunning(sealed.fd))
        sendMessage(theirs.number, Buffer.from("sealed"), [sealed.fd.number]);
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

/** Whether a file is the running executable: at its path there may be another by now. */
function isRunning({ number }: Fd): boolean {
  const file = fstatSync(number, { bigint: true });
  const running = statSync(SELF, { bigint: true });
  return file.dev === running.dev && file.ino === running.ino;
}

/** A sealed copy in memory: the way for kernels and places without the mount API. @see memfd_create(2) */
function copyToMemory(): Fd {
  const MFD_CLOEXEC = 1;
  const MFD_ALLOW_SEALING = 2;
  const F_ADD_SEALS = 1033;
  const ALL_SEALS = 0xf; // seal, shrink, grow, write
  const memory = new Fd(check(syscall("memfd_create", "tsrunc", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create"));
  using source = open(SELF, O.RDONLY);
  let copied: number;
  do copied = check(syscall("sendfile", memory.number, source.number, 0, 0x7ffff000), `copy ${SELF}`);
  while (copied > 0);
  check(syscall("fcntl", memory.number, F_ADD_SEALS, ALL_SEALS), "seal the copy of the executable");
  return memory;
}
