/** Carries out the mounts. */

import type { ChangeStep, MountStep } from "../plan/mount-steps.ts";
import type { Handlers, OfKind } from "../plan/step.ts";
import { ERRNO } from "../sys/errno.ts";
import { hasErrno, SyscallError } from "../sys/error.ts";
import { duplicate, type Fd, O } from "../sys/fd.ts";
import { mapOwners, mount, mountSetAttributes, moveMount, openTree } from "../sys/mount.ts";
import { openInRoot } from "../sys/path.ts";
import { fstat, isDirectory } from "../sys/stat.ts";
import { setBindAttributes } from "./bind-attributes.ts";
import type { InitContext } from "./context.ts";
import { copySymlink } from "./copied-symlink.ts";
import { copyContents } from "./copy-up.ts";
import { makeFilesystem } from "./detached-filesystem.ts";
import { withHint } from "./mount-hints.ts";
import { openBindMountPoint, openDirectoryMountPoint } from "./mount-point.ts";
import { rootOf } from "./root.ts";

type Mount = OfKind<MountStep, "mount">;
type Bind = OfKind<MountStep, "bind">;

export const mountHandlers: Handlers<MountStep | ChangeStep, InitContext> = {
  mount: (step, context) => {
    const mounted = step.mounted === undefined ? undefined : context.mounts.get(step.mounted);
    if (mounted !== undefined) return remount(step, mounted);
    const place = openDirectoryMountPoint(rootOf(context), step.target, step.fstype);
    using target = place.target;
    try {
      mountFilesystem(step, target, place.made, context);
    } catch (error) {
      if (step.fallback === null || !hasErrno(error, "EPERM", "EBUSY")) throw withHint(error, step);
      bindInstead(step, step.fallback, target, context);
    }
  },
  bind: (step, context) => {
    const rootfs = rootOf(context);
    if (step.copySymlink && copySymlink(rootfs, step.source, step.target)) return;
    using tree = openSource(step, context);
    using target = openBindMountPoint(rootfs, step.target, tree, step.nofollow?.includes("destination"));
    attach(step, tree, target, warning(step, context));
    keep(step, tree, context);
  },
  "change-mount": (step, context) => {
    const mounted = step.mounted === undefined ? undefined : context.mounts.get(step.mounted);
    if (mounted !== undefined) return changeMount(step, mounted, context);
    using found = step.target === "/" ? null : openInRoot(rootOf(context), step.target, O.PATH);
    changeMount(step, found ?? rootOf(context), context);
  },
};

function changeMount(step: ChangeStep, mounted: Fd, context: InitContext): void {
  try {
    setBindAttributes(mounted, step.attributes, warning(step, context));
  } catch (error) {
    if (hasErrno(error, "EINVAL")) (error as Error).message += " (nothing is mounted there)";
    throw error;
  }
  finish(step, mounted);
}

/** Keeps a mount for the steps that change it. */
function keep(step: MountStep, mounted: Fd, { mounts }: InitContext): void {
  if (step.keep !== undefined) mounts.set(step.keep, duplicate(mounted));
}

function remount(step: Mount, mounted: Fd): void {
  const { source, fstype, flags, data } = step;
  mount(source, mounted.procPath, fstype, flags, data);
  finish(step, mounted);
}

/**
 * Mounts on a directory. With mount(2), which is one call, where that is all. What is done to the mount besides is done
 * before it is attached: it could be opened afterwards by its path only, and a container that shares a volume can make the
 * path lead elsewhere by then.
 */
function mountFilesystem(step: Mount, target: Fd, made: boolean, context: InitContext): void {
  const { source, fstype, flags, data, inherit } = step;
  // Remounted is what the descriptor is open on.
  if (flags.includes("remount")) return remount(step, target);
  const mode = inherit === "nothing" || made ? null : octalMode(target);
  const changes = step.propagation.length > 0 || step.recursive !== null || step.keep !== undefined;
  if (!(changes || inherit === "contents")) {
    // A mode of the configuration comes later in the list, and holds.
    const options = [mode === null ? "" : `mode=${mode}`, data].filter((part) => part !== "").join(",");
    mount(source, target.procPath, fstype, flags, options);
    return;
  }
  using filesystem = makeFilesystem(step, mode);
  if (inherit === "contents") copyContents(target, filesystem);
  attach({ ...step, attributes: null }, filesystem, target);
  keep(step, filesystem, context);
}

/** The permissions of a file, as mount options write them. */
export function octalMode(fd: Fd): string {
  return (fstat(fd.number).mode & 0o7777).toString(8).padStart(4, "0");
}

function bindInstead(step: Mount, instead: NonNullable<Mount["fallback"]>, target: Fd, context: InitContext): void {
  const { pointer, propagation, recursive } = step;
  const set = step.flags.filter((flag) => flag === "ro" || flag === "nosuid" || flag === "nodev" || flag === "noexec");
  const attributes = set.length === 0 ? null : { set, clear: [] };
  const bind: Bind = {
    ...(pointer === undefined ? {} : { pointer }),
    kind: "bind",
    target: step.target,
    propagation,
    // What is mounted below comes along, the host's cgroups below /sys among it.
    recursive: recursive ?? attributes,
    ...instead,
    origin: { from: "init", idmap: null },
    tree: true,
    attributes,
  };
  using tree = openSource(bind, context);
  attach(bind, tree, target);
  keep(step, tree, context);
}

function openSource({ source, origin, tree, otherwise, nofollow = [] }: Bind, context: InitContext): Fd {
  if (origin.from === "parent") return askForSource(context, origin.name);
  let opened: Fd;
  try {
    opened = openTree(source, { clone: true, recursive: tree, nofollow: nofollow.includes("source") });
  } catch (error) {
    if (origin.from === "init-or-parent" && hasErrno(error, "EACCES")) return askForSource(context, origin.name);
    if (otherwise === null || !hasErrno(error, "ENOENT")) throw withHint(error, { kind: "bind", source });
    opened = openTree(otherwise, { clone: true, recursive: tree });
  }
  if (origin.from === "init" && origin.idmap !== null) {
    const { name, recursive, last } = origin.idmap;
    const idmap = context.inherited.get(name);
    if (idmap === undefined) throw new Error(`no user namespace of ${name} came from the parent`);
    mapOwners(opened, idmap, recursive);
    if (last) idmap.close();
  }
  return opened;
}

/** What a mount could not get goes into the log, with the name of its entry. */
function warning({ pointer, target }: Bind | ChangeStep, { channel }: InitContext): (message: string) => void {
  return (message) => channel.send({ type: "warning", message: `${pointer ?? "mount"}: ${target}: ${message}` });
}

/** Has the parent open what this process may not. The parent ends the creation when it cannot either. */
export function askForSource({ channel }: InitContext, name: string): Fd {
  channel.send({ type: "source", name });
  const [source] = channel.expect("source")?.fds ?? [];
  if (source === undefined) throw new Error("the parent gave no source");
  return source;
}

/**
 * Puts a detached tree in its place, with what the step asks of it.
 * @param warn as {@link setBindAttributes} takes it
 * @throws {SyscallError} `move_mount`, `mount_setattr`
 */
export function attach(
  step: Pick<Bind, "attributes" | "propagation" | "recursive">,
  tree: Fd,
  target: Fd,
  warn: ((message: string) => void) | null = null,
): void {
  if (step.attributes !== null) setBindAttributes(tree, step.attributes, warn);
  try {
    moveMount(tree, target);
  } catch (error) {
    throw ofDifferentTypes(tree, target) ?? error;
  }
  finish(step, tree);
}

/** move_mount(2) says EINVAL of many things; this is the common one, and mount(2) says ENOTDIR of it. */
function ofDifferentTypes(source: Fd, target: Fd): SyscallError | null {
  const sourceIsDirectory = isDirectory(fstat(source.number));
  if (sourceIsDirectory === isDirectory(fstat(target.number))) return null;
  // Not "is a directory": Docker takes these words for a command that is one, and exits with 126 instead of 125.
  const hint = sourceIsDirectory
    ? "the source: a directory, the target: a file"
    : "the source: a file, the target: a directory";
  const error = new SyscallError("move_mount", ERRNO.ENOTDIR);
  error.message += ` (${hint})`;
  return error;
}

/** What holds for the mount in its place: propagation last, since attaching to a shared mount makes it shared. */
function finish({ recursive, propagation }: Pick<MountStep, "recursive" | "propagation">, mounted: Fd): void {
  if (recursive !== null) mountSetAttributes(mounted, { ...recursive, recursive: true });
  for (const { type, recursive: tree } of propagation)
    mountSetAttributes(mounted, { propagation: type, recursive: tree });
}
