/** Namespaces: their clone flags, leaving the old ones, joining others'. */
import { check } from "./error.ts";
import { type Fd, O, open } from "./fd.ts";
import { syscall } from "./ffi.ts";

/** A type of namespace, under the name that config.json has for it. */
export type NamespaceName = "pid" | "network" | "mount" | "ipc" | "uts" | "user" | "cgroup" | "time";

/** `CLONE_NEW*` flag of each namespace type. @see namespaces(7) */
export const NAMESPACE_FLAGS: Readonly<Record<NamespaceName, number>> = {
  time: 0x80,
  mount: 0x20000,
  cgroup: 0x2000000,
  uts: 0x4000000,
  ipc: 0x8000000,
  user: 0x10000000,
  pid: 0x20000000,
  network: 0x40000000,
};

/** The name under `/proc/<pid>/ns` of each namespace type. */
export const NAMESPACE_FILES: Readonly<Record<NamespaceName, string>> = {
  time: "time",
  mount: "mnt",
  cgroup: "cgroup",
  uts: "uts",
  ipc: "ipc",
  user: "user",
  pid: "pid",
  network: "net",
};

/** The union of the types' flags. */
export function namespaceFlags(types: Iterable<NamespaceName>): number {
  let flags = 0;
  for (const type of types) flags |= NAMESPACE_FLAGS[type];
  return flags;
}

/**
 * Moves this process into new namespaces.
 * @throws {SyscallError} `unshare <types>`
 * @see unshare(2)
 */
export function unshare(types: readonly NamespaceName[]): void {
  check(syscall("unshare", namespaceFlags(types)), () => `unshare the ${types.join(", ")} namespace`);
}

/** Opens a namespace by path. What is there may be anything: a FIFO would have us wait until somebody writes. @throws {SyscallError} `open <path>` */
export function openNamespaceFile(path: string): Fd {
  return open(path, O.RDONLY | O.NONBLOCK | O.NOCTTY);
}

/**
 * Moves this process into existing namespaces.
 * @param fd    a namespace file, or (Linux 5.8) a pidfd, which joins all the types at once or none
 * @param types what to join; a namespace file of another type fails with EINVAL
 * @throws {SyscallError} `join the <types> namespace`
 * @see setns(2)
 */
export function setns(fd: number, types: readonly NamespaceName[]): void {
  check(syscall("setns", fd, namespaceFlags(types)), () => `join the ${types.join(", ")} namespace`);
}

/**
 * Makes a network namespace that nobody is in: it lives as long as the descriptor. Only this thread is there for a moment.
 * @throws {SyscallError} EPERM
 */
export function makeNetworkNamespace(): Fd {
  const path = "/proc/thread-self/ns/net";
  using own = open(path, O.RDONLY);
  unshare(["network"]);
  try {
    return open(path, O.RDONLY);
  } finally {
    setns(own.number, ["network"]);
  }
}
