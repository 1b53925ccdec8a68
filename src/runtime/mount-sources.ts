/** What the parent opens for the init's mounts: what the init may not open, or not do, itself. */

import { makeDeviceNode } from "../init/devices.ts";
import type { DeviceNode } from "../plan/devices.ts";
import type { IdMappingSource, SourceStep } from "../plan/mount-steps.ts";
import type { OfKind } from "../plan/step.ts";
import { check, SyscallError } from "../sys/error.ts";
import { AT, type Fd, O, open } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { chmod } from "../sys/file.ts";
import { emptyTmpfs } from "../sys/filesystem-context.ts";
import { readIdMap } from "../sys/id-maps.ts";
import { mapOwners, mountSetAttributes, moveMount, openTree, setPropagation } from "../sys/mount.ts";
import { openNamespaceFile, setns, unshare } from "../sys/namespace.ts";
import { endWords, exit, fork, waitPid } from "../sys/process.ts";
import { receiveMessage, sendMessage, socketpair } from "../sys/socket.ts";
import { decode, encode } from "../sys/text.ts";
import { userNamespaceWithMaps } from "../sys/user-namespace.ts";

/** User namespaces that id-mapped mounts take their maps from, by the names of the plan: made once, however many mounts have them. */
export type Mappings = Map<string, Fd>;

/** Opens one that is not open yet. @throws {SyscallError} */
export function openMapping(name: string, mapping: IdMappingSource, mappings: Mappings): Fd {
  const open = mappings.get(name);
  if (open !== undefined) return open;
  const made = userNamespaceOf(mapping);
  mappings.set(name, made);
  return made;
}

function userNamespaceOf(mapping: IdMappingSource): Fd {
  if (mapping.from === "namespace") return openNamespaceFile(mapping.path);
  return userNamespaceWithMaps(mapping.uid, mapping.gid);
}

export function closeMappings(mappings: Mappings): void {
  for (const fd of mappings.values()) fd.close();
  mappings.clear();
}

/**
 * Opens a source as the init sees it, with the powers of this process.
 *
 * It is opened in the init's mount namespace, by a helper process that joins it: what the init has mounted so far may be
 * part of it, and the locks that the user namespace has put on its mounts stay with the copy.
 *
 * @param pid the init
 * @param mappings left open for the sources that come after this one
 * @returns a detached tree of mounts
 * @throws {Error} in the words of the helper's failure
 */
export function provideSource(step: Exclude<SourceStep, { kind: "id-mapping" }>, pid: number, mappings: Mappings): Fd {
  if (step.kind === "make-device") return provideDevice(step.node, pid);
  const { source, tree: recursive, idmap, nofollow = [] } = step;
  const userNamespace = idmap === null ? null : openMapping(idmap.name, idmap.mapping, mappings);
  using namespace = open(`/proc/${pid}/ns/mnt`, O.RDONLY);
  return fromHelper(() => {
    setns(namespace.number, ["mount"]);
    const tree = openTree(source, { clone: true, recursive, nofollow: nofollow.includes("source") });
    if (userNamespace !== null) mapOwners(tree, userNamespace, idmap?.recursive ?? false);
    return tree;
  });
}

/**
 * Makes a device that may be mounted in a user namespace, in which nobody may make one: on a filesystem that belongs to this one's.
 *
 * A helper mounts that, in a mount namespace of its own: before Linux 6.15 nothing is taken off a filesystem that is mounted nowhere.
 * @param pid the init, whose user namespace maps the owner
 * @returns a detached mount of the device alone
 * @throws {Error} in the words of the helper's failure
 */
function provideDevice(node: DeviceNode, pid: number): Fd {
  const [uid, gid] = [hostId(node.uid, pid, "uid_map"), hostId(node.gid, pid, "gid_map")];
  return fromHelper(() => {
    unshare(["mount"]);
    setPropagation("/", "private", true);
    using filesystem = emptyTmpfs(["nosuid", "noexec"]);
    moveMount(filesystem, "/");
    check(makeDeviceNode(filesystem, node), () => `mknod ${node.name}`);
    check(syscall("fchownat", filesystem.number, node.name, uid, gid, AT.SYMLINK_NOFOLLOW), () => `chown ${node.name}`);
    // mknod(2) has left out what the umask says.
    chmod(`${filesystem.procPath}/${node.name}`, node.mode);
    return openTree(`${filesystem.procPath}/${node.name}`, { clone: true, recursive: false });
  });
}

/** The id on this side of a process's map. @throws {Error} when there is none @see user_namespaces(7) */
function hostId(id: number, pid: number, map: "uid_map" | "gid_map"): number {
  for (const { containerID, hostID, size } of readIdMap(pid, map)) {
    if (id >= containerID && id < containerID + size) return hostID + id - containerID;
  }
  throw new Error(`the owner ${id} of the device has no id outside the user namespace (${map})`);
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
  using userNamespace = userNamespaceOf(idmap.mapping);
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
