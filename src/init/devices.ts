/** Carries out the steps of the container's `/dev`. */

import { type DeviceNode, type DeviceStep, inWords } from "../plan/devices.ts";
import type { Handlers } from "../plan/step.ts";
import { ERRNO } from "../sys/errno.ts";
import { check, hasErrno } from "../sys/error.ts";
import { AT, Fd, O } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { chmod, exists } from "../sys/file.ts";
import { mountSetAttributes, moveMount, openTree } from "../sys/mount.ts";
import { mkdirAllInRoot, readlinkAt } from "../sys/path.ts";
import { FILE_TYPE, fstat, isType, majorOf, makeDevice, minorOf, type Stat } from "../sys/stat.ts";
import type { InitContext } from "./context.ts";
import { askForSource } from "./mounts.ts";
import { rootOf } from "./root.ts";

const { EEXIST, ENOENT, EPERM } = ERRNO;
const NODE_TYPES = { c: "characterDevice", b: "blockDevice", p: "fifo" } as const;
const TYPE_WORDS: Readonly<Record<keyof typeof FILE_TYPE, string>> = {
  fifo: "a pipe",
  characterDevice: "the character device",
  directory: "a directory",
  blockDevice: "the block device",
  regular: "a file",
  symlink: "a symlink",
  socket: "a socket",
};

export const deviceHandlers: Handlers<DeviceStep, InitContext> = {
  "device-nodes": ({ directory, nodes }, context) => {
    using parent = mkdirAllInRoot(rootOf(context), directory);
    for (const node of nodes) makeNode(parent, directory, node);
  },
  "bind-devices": ({ directory, nodes, source }, context) => {
    using parent = mkdirAllInRoot(rootOf(context), directory);
    const make = source === null ? null : () => askForSource(context, source);
    for (const node of nodes) bindNode(parent, directory, node, make);
  },
  symlinks: ({ directory, links }, context) => {
    using parent = mkdirAllInRoot(rootOf(context), directory);
    for (const { name, to, onlyIf } of links) {
      if (onlyIf !== undefined && !exists(onlyIf)) continue;
      const result = syscall("symlinkat", to, parent.number, name);
      if (result !== -EEXIST) check(result, () => `symlink ${directory}/${name}`);
    }
  },
  "replace-by-symlink": ({ path, to }, context) => {
    const cut = path.lastIndexOf("/");
    const name = path.slice(cut + 1);
    using parent = mkdirAllInRoot(rootOf(context), path.slice(0, cut) || "/");
    const removed = syscall("unlinkat", parent.number, name, 0);
    if (removed !== -ENOENT) check(removed, () => `unlink ${path}`);
    const result = syscall("symlinkat", to, parent.number, name);
    // Another container on the same rootfs may have been quicker.
    const isMade = result === -EEXIST && readlinkAt(parent, name, () => `symlink ${path}`) === to;
    if (!isMade) check(result, () => `symlink ${path}`);
  },
};

function makeNode(parent: Fd, directory: string, node: DeviceNode): void {
  const { name, uid, gid } = node;
  const result = makeDeviceNode(parent, node);
  if (result === -EEXIST) return takeNode(parent, directory, node);
  if (result === -EPERM) return bindNode(parent, directory, node, null);
  check(result, () => `mknod ${directory}/${name}`);
  if (uid === 0 && gid === 0) return;
  // By descriptor: in a volume that is shared, another file can have the name by now.
  using made = openNode(parent, directory, node);
  const stats = fstat(made.number);
  if (!isNode(stats, node)) refuseOther(stats, directory, node);
  own(made, stats, directory, node);
}

/** Makes do with what is there: of the image, or of an earlier start. */
function takeNode(parent: Fd, directory: string, node: DeviceNode): void {
  using existing = openNode(parent, directory, node);
  const stats = fstat(existing.number);
  if (isNode(stats, node)) {
    if (node.listed) own(existing, stats, directory, node);
  } else if (node.listed) {
    refuseOther(stats, directory, node);
  } else if (isEmptyFile(stats)) {
    bindNode(parent, directory, node, null);
  }
}

function own(existing: Fd, stats: Stat, directory: string, { name, mode, uid, gid }: DeviceNode): void {
  const path = `${directory}/${name}`;
  if (stats.uid !== uid || stats.gid !== gid) {
    check(syscall("fchownat", existing.number, "", uid, gid, AT.EMPTY_PATH), () => `chown ${path}`);
  }
  if ((stats.mode & 0o7777) !== mode) chmod(existing.procPath, mode);
}

/** @param make gets a device that the host lacks from who can make it; `null` when nobody can */
function bindNode(parent: Fd, directory: string, node: DeviceNode, make: (() => Fd) | null): void {
  const path = `${directory === "/" ? "" : directory}/${node.name}`;
  using source = openHostDevice(path, node) ?? (make ?? (() => refuseMissing(path, node)))();
  mountSetAttributes(source, { set: ["nosuid", "noexec"] });
  const flags = O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC;
  const created = syscall("openat", parent.number, node.name, flags, 0);
  if (created >= 0) new Fd(created).close();
  else if (created !== -EEXIST) check(created, () => `create ${path}`);
  using target = openNode(parent, directory, node);
  const stats = fstat(target.number);
  // An empty file is the place that an earlier start has made.
  if (node.listed && !isNode(stats, node) && !isEmptyFile(stats)) refuseOther(stats, directory, node);
  moveMount(source, target);
}

/** The host's device, to be bound; `null` when it has none, or another at this path. */
function openHostDevice(path: string, node: DeviceNode): Fd | null {
  let source: Fd;
  try {
    source = openTree(path, { clone: true, recursive: false });
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return null;
    throw error;
  }
  if (isNode(fstat(source.number), node)) return source;
  source.close();
  return null;
}

function openNode(parent: Fd, directory: string, { name }: DeviceNode): Fd {
  const result = syscall("openat", parent.number, name, O.PATH | O.NOFOLLOW | O.CLOEXEC, 0);
  return new Fd(check(result, () => `open ${directory}/${name}`));
}

function isNode(stats: Stat, { type, major, minor }: DeviceNode): boolean {
  return isType(stats, NODE_TYPES[type]) && (type === "p" || stats.rdev === makeDevice(major, minor));
}

function isEmptyFile(stats: Stat): boolean {
  return isType(stats, "regular") && stats.size === 0;
}

/** @see runtime-spec, config-linux.md, "Devices": what does not match the device is an error */
function refuseOther(stats: Stat, directory: string, node: DeviceNode): never {
  const type = (Object.keys(FILE_TYPE) as (keyof typeof FILE_TYPE)[]).find((name) => isType(stats, name));
  const numbers = stats.rdev === 0 ? "" : ` ${majorOf(stats.rdev)}:${minorOf(stats.rdev)}`;
  const there = `${TYPE_WORDS[type ?? "regular"]}${numbers}`;
  throw new Error(`${directory}/${node.name} is there already, and is ${there}, not ${inWords(node)}`);
}

function refuseMissing(path: string, node: DeviceNode): never {
  throw new Error(`the host has no ${inWords(node)} at ${path} to bind, and this process may make none`);
}

/**
 * Makes a device node.
 * @param parent the directory
 * @returns the negative errno when it fails
 */
export function makeDeviceNode(parent: Fd, { name, type, major, minor, mode }: DeviceNode): number {
  const typeAndMode = FILE_TYPE[NODE_TYPES[type]] | mode;
  return syscall("mknodat", parent.number, name, typeAndMode, makeDevice(major, minor));
}
