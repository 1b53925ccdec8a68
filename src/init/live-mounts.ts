/**
 * Carries out mounts and unmounts in a running container, without the help of its `/proc`: the container may have put
 * anything there. Everything goes by descriptor, and filesystems are made detached.
 */

import type { MountStep } from "../plan/mount-steps.ts";
import { hasErrno } from "../sys/error.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import { changeDirectory, unmountHere } from "../sys/mount.ts";
import { findInRoot, mkdirAllInRoot, openInRoot } from "../sys/path.ts";
import { basename, dirname } from "../sys/path-names.ts";
import { fstat, isDirectory, isSameFile } from "../sys/stat.ts";
import { FILESYSTEM, fstatfs } from "../sys/statfs.ts";
import { makeFilesystem } from "./detached-filesystem.ts";
import { makeLike } from "./mount-point.ts";
import { attach, octalMode } from "./mounts.ts";

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
    using filesystem = makeFilesystem(step, step.inherit === "mode" ? octalMode(target) : null);
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
