/**
 * The rootfs as CRIU is to find it: by itself on a mount point, with all places of mounts in it. Done by the process that becomes CRIU, in a mount
 * namespace of its own, so that nothing of this is ever seen on the host, and all of it is gone with that process.
 */
import { makeDeviceNode } from "../init/devices.ts";
import { openBindMountPoint, openDirectoryMountPoint, pathInRoot } from "../init/mount-point.ts";
import type { RootfsStep } from "../plan/rootfs.ts";
import { check } from "../sys/error.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import { chmod, mkdir } from "../sys/file.ts";
import { emptyTmpfs } from "../sys/filesystem-context.ts";
import { mountSetAttributes, moveMount, openTree, setPropagation, unmountDetach } from "../sys/mount.ts";

/** A mount of the host's to be restored: its place, symlinks resolved, and what is bound there. */
export interface PlacedMount {
  place: string;
  source: string;
}

/** What is in the directory that is CRIU's alone. */
export function ownFiles(directory: string): { root: string; null: string } {
  return { root: `${directory}/root`, null: `${directory}/null` };
}

/**
 * Makes the missing places in the rootfs, and mounts that in an empty directory; beside it, a null device.
 * @param rootfs path on the host
 * @param directory the empty one
 * @returns where the mounts come, among the mounts before them, as they came when the container was made
 * @throws {Error} with the JSON pointer of the mount whose place cannot be made
 */
export function prepareRoot(rootfs: string, directory: string, steps: readonly RootfsStep[]): PlacedMount[] {
  setPropagation("/", "slave", true);
  const { root } = ownFiles(directory);
  makeOwnFiles(directory);
  const placed = makePlaces(rootfs, root, steps);
  using tree = openTree(rootfs, { clone: true, recursive: true });
  moveMount(tree, root);
  mountSetAttributes(tree, { propagation: "private" });
  return placed;
}

/** On a filesystem that nobody else sees. */
function makeOwnFiles(directory: string): void {
  using filesystem = emptyTmpfs();
  moveMount(filesystem, directory);
  mkdir(ownFiles(directory).root, 0o755);
  const device = { name: "null", type: "c", major: 1, minor: 3, mode: 0o666, uid: 0, gid: 0, listed: false } as const;
  check(makeDeviceNode(filesystem, device), "mknod null");
  chmod(ownFiles(directory).null, device.mode);
}

/**
 * Mounts on a copy of the rootfs all that the container has: the host's as they are, and something empty in place of each filesystem. Places
 * inside those are CRIU's to restore, and need not be made in the rootfs.
 */
function makePlaces(rootfs: string, root: string, steps: readonly RootfsStep[]): PlacedMount[] {
  using tree = openTree(rootfs, { clone: true, recursive: true });
  moveMount(tree, root);
  mountSetAttributes(tree, { propagation: "private", recursive: true });
  // A descriptor from before would show what is under the mount.
  using top = open(root, O.PATH | O.DIRECTORY);
  const placed: PlacedMount[] = [];
  for (const step of steps) {
    if (step.kind !== "mount" && step.kind !== "bind") continue;
    try {
      if (step.kind === "bind") placed.push({ place: bind(top, step), source: step.source });
      else mountSomething(top, step);
    } catch (error) {
      const { pointer = "mount", target } = step;
      throw new Error(`${pointer}: make the place of the mount on ${target}: ${(error as Error).message}`);
    }
  }
  unmountDetach(root);
  return placed;
}

type Bind = Extract<RootfsStep, { kind: "bind" }>;
type Mount = Extract<RootfsStep, { kind: "mount" }>;

function bind(root: Fd, { source, target, tree, nofollow = [] }: Bind): string {
  using bound = openTree(source, { clone: true, recursive: tree, nofollow: nofollow.includes("source") });
  mountSetAttributes(bound, { propagation: "private", recursive: true });
  using place = openBindMountPoint(root, target, bound, nofollow.includes("destination"));
  const path = pathInRoot(root, place);
  moveMount(bound, place);
  return path;
}

function mountSomething(root: Fd, { target, fstype, flags }: Mount): void {
  if (flags.includes("remount")) return;
  using place = openDirectoryMountPoint(root, target, fstype).target;
  using empty = emptyTmpfs();
  moveMount(empty, place);
}
