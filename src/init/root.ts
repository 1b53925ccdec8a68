/** Carries out the steps of the root directory itself. */

import type { RootStep } from "../plan/root.ts";
import type { Handlers } from "../plan/step.ts";
import { hasErrno } from "../sys/error.ts";
import { duplicateOnto, type Fd, O, open } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { readText } from "../sys/file.ts";
import {
  changeDirectory,
  chrootHere,
  mount,
  mountSetAttributes,
  moveMount,
  openTree,
  pivotRoot,
  setPropagation,
  unmountDetach,
} from "../sys/mount.ts";
import { openInRoot, openRoot } from "../sys/path.ts";
import { dirname } from "../sys/path-names.ts";
import { fstat, isType } from "../sys/stat.ts";
import type { InitContext } from "./context.ts";
import { withHint } from "./mount-hints.ts";

export const rootHandlers: Handlers<RootStep, InitContext> = {
  "set-umask": ({ mask }) => void syscall("umask", mask),
  "set-root-propagation": ({ propagation }) => setPropagation("/", propagation.type, propagation.recursive),
  "isolate-rootfs": ({ path, type }) => isolate(path, type),
  "bind-rootfs": ({ path, propagation }, context) => {
    const rootfs = copyTree(path);
    // In its place first: a mount that is attached to a shared one becomes shared.
    mountSetAttributes(rootfs, { propagation });
    enter(rootfs, context);
  },
  "enter-rootfs": ({ path }, context) => enter(open(path, O.PATH | O.DIRECTORY), context),
  "pivot-root": (_, context) => {
    using host = openRoot("/");
    pivotRoot(rootOf(context), host);
  },
  "move-root": ({ path }, context) => moveRoot(path, rootOf(context)),
  chroot: (_, context) => {
    changeDirectory(rootOf(context));
    chrootHere();
  },
  "reopen-null": (_, context) => reopenNull(rootOf(context)),
  "remount-readonly": ({ mounted }, context) => {
    const mount = mounted === null ? rootOf(context) : context.mounts.get(mounted);
    if (mount === undefined) throw new Error(`no mount ${mounted} was kept`);
    mountSetAttributes(mount, { set: ["ro"] });
  },
};

/** Binds a directory with all that is mounted in it on itself. */
function copyTree(path: string): Fd {
  try {
    const tree = openTree(path, { clone: true, recursive: true });
    moveMount(tree, path);
    return tree;
  } catch (error) {
    throw withHint(error, { kind: "bind", source: path });
  }
}

/** The container's root directory. @throws {Error} before the step that opens it */
export function rootOf({ rootfs }: InitContext): Fd {
  if (rootfs === null) throw new Error("the rootfs is not open yet");
  return rootfs;
}

/** From here on the rootfs is where this process works: hooks start in it, and `.` is what is made the root. */
function enter(rootfs: Fd, context: InitContext): void {
  changeDirectory(rootfs);
  context.rootfs = rootfs;
}

/** Finds the mount that a path is in, from below: only a mount's root takes a propagation (EINVAL elsewhere). */
function isolate(path: string, type: "private" | "slave"): void {
  for (let at = path; ; at = dirname(at)) {
    try {
      return setPropagation(at, type, false);
    } catch (error) {
      if (!hasErrno(error, "EINVAL") || at === "/") throw error;
    }
  }
}

function moveRoot(path: string, rootfs: Fd): void {
  for (const mountPoint of hostPseudoFilesystems(path)) hide(mountPoint);
  changeDirectory(rootfs);
  moveMount(rootfs, "/");
  chrootHere();
}

/**
 * Where whole procfs and sysfs instances are mounted outside the rootfs. A process that leaves its chroot would find
 * them, and with one of them visible the kernel lets a user namespace mount another.
 */
function hostPseudoFilesystems(rootfs: string): string[] {
  const found: string[] = [];
  for (const line of readText("/proc/self/mountinfo").split("\n")) {
    const [mount = "", filesystem = ""] = line.split(" - ");
    const [, , , root, escaped = ""] = mount.split(" ");
    const fstype = filesystem.split(" ")[0];
    const mountPoint = escaped.replace(/\\([0-7]{3})/g, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 8)),
    );
    const outside = mountPoint !== rootfs && !mountPoint.startsWith(`${rootfs}/`);
    if (root === "/" && (fstype === "proc" || fstype === "sysfs") && outside) found.push(mountPoint);
  }
  return found;
}

function hide(mountPoint: string): void {
  try {
    // Unmounting must not reach the host.
    setPropagation(mountPoint, "slave", true);
    unmountDetach(mountPoint);
  } catch (error) {
    // Gone with a mount above it.
    if (hasErrno(error, "ENOENT")) return;
    // In a user namespace mounts of the host are locked in place: cover it.
    if (!hasErrno(error, "EINVAL", "EPERM")) throw error;
    mount("tmpfs", mountPoint, "tmpfs", []);
  }
}

function reopenNull(rootfs: Fd): void {
  const onNull = [0, 1, 2].filter((fd) => isNull(fd));
  if (onNull.length === 0) return;
  using path = openInRoot(rootfs, "/dev/null", O.PATH | O.NOFOLLOW);
  if (!isNull(path.number)) throw new Error("the container's /dev/null is not the null device");
  using opened = open("/dev/null", O.RDWR);
  if (!isNull(opened.number)) throw new Error("the container's /dev/null is not the null device");
  for (const fd of onNull) duplicateOnto(opened.number, fd);
}

/** Whether a descriptor is open on the null device, 1:3. */
export function isNull(fd: number): boolean {
  const stat = fstat(fd);
  return isType(stat, "characterDevice") && stat.rdev === 0x103;
}
