/**
 * Carries out mounts and unmounts in a running container, without the help of its `/proc`: the container may have put
 * anything there. Everything goes by descriptor, and filesystems are made detached.
 */

import type { MountStep } from "../plan/mount-steps.ts";
import type { OfKind } from "../plan/step.ts";
import { hasErrno } from "../sys/error.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import {
  changeDirectory,
  fsconfigCreate,
  fsconfigSet,
  fscontextMessages,
  fsmount,
  fsopen,
  MOUNT_ATTRIBUTES,
  type MountAttribute,
  unmountHere,
} from "../sys/mount.ts";
import { findInRoot, mkdirAllInRoot, openInRoot } from "../sys/path.ts";
import { basename, dirname } from "../sys/path-names.ts";
import { fstat, isDirectory, isSameFile } from "../sys/stat.ts";
import { FILESYSTEM, fstatfs } from "../sys/statfs.ts";
import { makeLike } from "./mount-point.ts";
import { attach } from "./mounts.ts";

/**
 * Adds a mount.
 * @param rootfs the container's root, which this process has, too
 * @param source for a bind, what to bind: a detached tree
 * @throws {Error} when its place is the root, or in procfs
 */
export function addMount(rootfs: Fd, step: MountStep, source: Fd | null): void {
  if (step.kind === "bind") {
    if (source === null) throw new Error("the source is not open");
    const flags = step.nofollow?.includes("destination") ? O.PATH | O.NOFOLLOW : O.PATH;
    using target = findInRoot(rootfs, step.target, flags) ?? makeLike(rootfs, step.target, source);
    checkPlace(rootfs, target);
    attach(step, source, target);
  } else {
    using target = findInRoot(rootfs, step.target, O.PATH | O.DIRECTORY) ?? mkdirAllInRoot(rootfs, step.target);
    checkPlace(rootfs, target);
    using filesystem = makeFilesystem(step, target);
    attach({ ...step, attributes: null }, filesystem, target);
  }
}

function checkPlace(rootfs: Fd, target: Fd): void {
  if (isSame(rootfs, target)) throw new Error("the place is the root of the container");
  if (isIn(target, FILESYSTEM.proc)) throw new Error("the place is in /proc");
}

function isSame(one: Fd, other: Fd): boolean {
  return isSameFile(fstat(one.number), fstat(other.number));
}

function isIn(fd: Fd, filesystem: number): boolean {
  return fstatfs(fd.number).type === filesystem;
}

function makeFilesystem({ fstype, source, flags, data, inherit }: OfKind<MountStep, "mount">, target: Fd): Fd {
  using context = fsopen(fstype);
  if (context === null) throw new Error(`the kernel does not know the filesystem ${fstype}, or does not permit it`);
  fsconfigSet(context, "source", source);
  if (inherit === "mode") {
    fsconfigSet(context, "mode", (fstat(target.number).mode & 0o7777).toString(8).padStart(4, "0"));
  }
  const attributes = flags.filter((flag) => flag in MOUNT_ATTRIBUTES) as MountAttribute[];
  const ofFilesystem = flags.filter((flag) => !(flag in MOUNT_ATTRIBUTES));
  for (const [key, value] of [...ofFilesystem.map((flag): Option => [flag, null]), ...splitData(data)]) {
    if (!fsconfigSet(context, key, value)) {
      throw new Error([`${fstype} refuses the option ${key}`, ...fscontextMessages(context)].join(": "));
    }
  }
  const mounted = fsconfigCreate(context) ? fsmount(context, attributes) : null;
  if (mounted !== null) return mounted;
  throw new Error([`the kernel refuses to make the filesystem ${fstype}`, ...fscontextMessages(context)].join(": "));
}

type Option = [key: string, value: string | null];

/** The options in mount data. Commas in a value are quoted, as in `context="u:r:t:s0:c1,c2"`. @see mount(8) */
export function splitData(data: string): Option[] {
  const parts = data.match(/(?:[^,"]|"[^"]*")+/g) ?? [];
  return parts.map((part) => {
    const equals = part.indexOf("=");
    return equals < 0 ? [part, null] : [part.slice(0, equals), part.slice(equals + 1).replace(/^"(.*)"$/, "$1")];
  });
}

/**
 * Removes a mount: lazily, whoever still uses it.
 * @throws {Error} when nothing is mounted there, or the place is in procfs or sysfs: what hides parts of these stays
 */
export function removeMount(rootfs: Fd, path: string): void {
  using target = openInRoot(rootfs, path, O.PATH);
  if (isSame(rootfs, target)) throw new Error("the place is the root of the container");
  const onDirectory = isDirectory(fstat(target.number));
  using parent = onDirectory
    ? open("..", O.PATH | O.DIRECTORY, 0, target.number)
    : openInRoot(rootfs, dirname(path), O.PATH | O.DIRECTORY);
  if (isIn(parent, FILESYSTEM.proc) || isIn(parent, FILESYSTEM.sysfs)) throw new Error("the place is in /proc or /sys");
  // By the directory's descriptor, or by a name in it that is no symlink: the container cannot point elsewhere meanwhile.
  changeDirectory(onDirectory ? target : parent);
  try {
    unmountHere(onDirectory ? "." : basename(path));
  } catch (error) {
    if (hasErrno(error, "EINVAL")) throw new Error("nothing is mounted there");
    throw error;
  } finally {
    changeDirectory(rootfs);
  }
}
