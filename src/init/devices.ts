/** Carries out the steps of the container's `/dev`. */

import type { DeviceNode, DeviceStep } from "../plan/devices.ts";
import type { Handlers } from "../plan/step.ts";
import { ERRNO } from "../sys/errno.ts";
import { check } from "../sys/error.ts";
import { Fd, O } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { exists } from "../sys/file.ts";
import { mountSetAttributes, moveMount, openTree } from "../sys/mount.ts";
import { mkdirAllInRoot } from "../sys/path.ts";
import type { InitContext } from "./context.ts";
import { rootOf } from "./root.ts";

const { EEXIST, ENOENT, EPERM } = ERRNO;
const FILE_TYPES = { c: 0o020000, b: 0o060000, p: 0o010000 } as const;

export const deviceHandlers: Handlers<DeviceStep, InitContext> = {
  "device-nodes": ({ directory, nodes }, context) => {
    using parent = mkdirAllInRoot(rootOf(context), directory);
    for (const node of nodes) makeNode(parent, directory, node);
  },
  "bind-devices": ({ directory, nodes }, context) => {
    using parent = mkdirAllInRoot(rootOf(context), directory);
    for (const node of nodes) bindNode(parent, directory, node);
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
    check(syscall("symlinkat", to, parent.number, name), () => `symlink ${path}`);
  },
};

function makeNode(parent: Fd, directory: string, node: DeviceNode): void {
  const { name, type, major, minor, mode, uid, gid } = node;
  const result = syscall("mknodat", parent.number, name, FILE_TYPES[type] | mode, deviceNumber(major, minor));
  // What is there already may be the image's own, or that of an earlier start.
  if (result === -EEXIST) return;
  if (result === -EPERM) return bindNode(parent, directory, node);
  check(result, () => `mknod ${directory}/${name}`);
  const AT_SYMLINK_NOFOLLOW = 0x100;
  if (uid === 0 && gid === 0) return;
  check(syscall("fchownat", parent.number, name, uid, gid, AT_SYMLINK_NOFOLLOW), () => `chown ${directory}/${name}`);
}

function bindNode(parent: Fd, directory: string, { name }: DeviceNode): void {
  const path = `${directory === "/" ? "" : directory}/${name}`;
  using source = openTree(path, { clone: true, recursive: false });
  mountSetAttributes(source, { set: ["nosuid", "noexec"] });
  const flags = O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC;
  const created = syscall("openat", parent.number, name, flags, 0);
  if (created >= 0) new Fd(created).close();
  else if (created !== -EEXIST) check(created, () => `create ${path}`);
  using target = new Fd(
    check(syscall("openat", parent.number, name, O.PATH | O.NOFOLLOW | O.CLOEXEC, 0), () => `open ${path}`),
  );
  moveMount(source, target);
}

/** The number of a device as the kernel takes it. @see makedev(3) */
function deviceNumber(major: number, minor: number): number {
  return (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12);
}
