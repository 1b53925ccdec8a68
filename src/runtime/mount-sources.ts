/** What the parent opens for the init's mounts: what the init may not open, or not do, itself. */

import type { IdMappingSource, SourceStep } from "../plan/mount-steps.ts";
import type { OfKind } from "../plan/step.ts";
import { SyscallError } from "../sys/error.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import { mapOwners, mountSetAttributes, openTree } from "../sys/mount.ts";
import { setns } from "../sys/namespace.ts";
import { endWords, exit, fork, waitPid } from "../sys/process.ts";
import { receiveMessage, sendMessage, socketpair } from "../sys/socket.ts";
import { decode, encode } from "../sys/text.ts";
import { userNamespaceWithMaps } from "../sys/user-namespace.ts";

/**
 * Opens the user namespaces that id-mapped mounts take their maps from, before the fork.
 * @returns `null` for a source that the init asks for later, if it needs it at all: {@link provideSource}
 * @throws {SyscallError}
 */
export function openSource(step: SourceStep): Fd | null {
  return step.kind === "id-mapping" ? openMapping(step.mapping) : null;
}

function openMapping(mapping: IdMappingSource): Fd {
  if (mapping.from === "namespace") return open(mapping.path, O.RDONLY);
  return userNamespaceWithMaps(mapping.uid, mapping.gid);
}

/**
 * Opens a source as the init sees it, with the powers of this process.
 *
 * It is opened in the init's mount namespace, by a helper process that joins it: what the init has mounted so far may be
 * part of it, and the locks that the user namespace has put on its mounts stay with the copy.
 *
 * @param pid the init
 * @returns a detached tree of mounts
 * @throws {Error} in the words of the helper's failure
 */
export function provideSource(step: OfKind<SourceStep, "open-source">, pid: number): Fd {
  const { source, tree: recursive, idmap, nofollow = [] } = step;
  using userNamespace = idmap === null ? null : openMapping(idmap.mapping);
  using namespace = open(`/proc/${pid}/ns/mnt`, O.RDONLY);
  return fromHelper(() => {
    setns(namespace.number, ["mount"]);
    const tree = openTree(source, { clone: true, recursive, nofollow: nofollow.includes("source") });
    if (userNamespace !== null) mapOwners(tree, userNamespace, idmap?.recursive ?? false);
    return tree;
  });
}

/**
 * Opens a source for a container that runs already: on the host, which the mounts of the container have left.
 * @returns a detached tree of mounts; what is mounted in it does not reach the host
 * @throws {SyscallError}
 */
export function openLiveSource({ source, tree, idmap, nofollow = [] }: OfKind<SourceStep, "open-source">): Fd {
  const opened = openTree(source, { clone: true, recursive: tree, nofollow: nofollow.includes("source") });
  // Otherwise a copy of a shared mount is its peer.
  mountSetAttributes(opened, { propagation: "slave", recursive: true });
  if (idmap === null) return opened;
  using userNamespace = openMapping(idmap.mapping);
  mapOwners(opened, userNamespace, idmap.recursive);
  return opened;
}

function answer(socket: Fd, work: () => Fd): void {
  try {
    sendMessage(socket.number, encode("{}"), [work().number]);
  } catch (error) {
    const { what, errno } = error instanceof SyscallError ? error : { what: String(error), errno: 0 };
    sendMessage(socket.number, encode(JSON.stringify({ what, errno })));
  }
}

/** Has a child of this process open something, and takes it over. */
function fromHelper(work: () => Fd): Fd {
  const [ours, theirs] = socketpair();
  using _ = ours;
  const pid = fork();
  if (pid === 0) {
    // Whatever happens, the child must not return into its parent's code.
    try {
      answer(theirs, work);
    } finally {
      exit(0);
    }
  }
  theirs.close();
  const received = receiveMessage(ours.number);
  const end = waitPid(pid);
  const [fd] = received?.fds ?? [];
  if (fd !== undefined) return fd;
  if (received === null) throw new Error(`the helper process that opens it ${endWords(end)}`);
  const { what, errno } = JSON.parse(decode(received.payload)) as { what: string; errno: number };
  throw errno === 0 ? new Error(what) : new SyscallError(what, errno);
}
