/** Mounts: the classic call, the calls that act on mounts by descriptor, and the change of root. */
import { check } from "./error.ts";
import { AT, AT_FDCWD, Fd, O } from "./fd.ts";
import { syscall } from "./ffi.ts";

/** `MS_*` flags of `mount(2)`, under the names that mount(8) gives them. */
export const MOUNT_FLAGS = {
  ro: 0x1,
  nosuid: 0x2,
  nodev: 0x4,
  noexec: 0x8,
  sync: 0x10,
  remount: 0x20,
  mand: 0x40,
  dirsync: 0x80,
  nosymfollow: 0x100,
  noatime: 0x400,
  nodiratime: 0x800,
  bind: 0x1000,
  move: 0x2000,
  rec: 0x4000,
  silent: 0x8000,
  relatime: 0x200000,
  iversion: 0x800000,
  strictatime: 0x1000000,
  lazytime: 0x2000000,
} as const;

export type MountFlag = keyof typeof MOUNT_FLAGS;

/** How mounts made below one mount reach its peers. @see mount_namespaces(7) */
export type PropagationType = "shared" | "slave" | "private" | "unbindable";

const PROPAGATION_FLAGS: Record<PropagationType, number> = {
  unbindable: 0x20000,
  private: 0x40000,
  slave: 0x80000,
  shared: 0x100000,
};

/** `MOUNT_ATTR_*` of `mount_setattr(2)`: what one mount, not the filesystem, says. */
export const MOUNT_ATTRIBUTES = {
  ro: 0x1,
  nosuid: 0x2,
  nodev: 0x4,
  noexec: 0x8,
  relatime: 0,
  noatime: 0x10,
  strictatime: 0x20,
  nodiratime: 0x80,
  nosymfollow: 0x200000,
} as const;

export type MountAttribute = keyof typeof MOUNT_ATTRIBUTES;

const MOUNT_ATTR_ATIME = 0x70;
const MOUNT_ATTR_IDMAP = 0x100000;

/**
 * Mounts a filesystem, or binds, moves or remounts, as `mount(2)` does.
 * @param target path of the mount point; pass `Fd.procPath` to mount on an open descriptor
 * @param data   filesystem-specific options, comma-separated, as in mount(8) -o
 * @throws {SyscallError} `mount`, with source, target and flags by name
 * @see mount(2)
 */
export function mount(
  source: string | null,
  target: string,
  fstype: string | null,
  flags: readonly MountFlag[],
  data = "",
): void {
  let bits = 0;
  for (const flag of flags) bits |= MOUNT_FLAGS[flag];
  check(syscall("mount", source, target, fstype, bits, data === "" ? null : data), () =>
    ["mount", fstype, source, "on", target, `[${flags.join(",")}]`, data].filter(Boolean).join(" "),
  );
}

/**
 * Sets how a mount propagates, by path.
 * @throws {SyscallError} `make <target> <type>`; EINVAL when the path is no mount point
 * @see mount(2), mount_namespaces(7)
 */
export function setPropagation(target: string, type: PropagationType, recursive: boolean): void {
  const flags = PROPAGATION_FLAGS[type] | (recursive ? MOUNT_FLAGS.rec : 0);
  check(syscall("mount", null, target, null, flags, null), () => `make ${target} ${recursive ? "r" : ""}${type}`);
}

/**
 * Unmounts lazily: at once out of sight, for good when it is no longer used.
 * @throws {SyscallError} `unmount`
 * @see umount2(2), MNT_DETACH
 */
export function unmountDetach(target: string): void {
  const MNT_DETACH = 2;
  check(syscall("umount2", target, MNT_DETACH), () => `unmount ${target}`);
}

/**
 * Unmounts, as {@link unmountDetach}, what is mounted on a name in the working directory, or on that itself (`.`), and
 * follows no symlink.
 * @throws {SyscallError} `unmount`; EINVAL when nothing is mounted there
 */
export function unmountHere(name: string): void {
  const MNT_DETACH = 2;
  const UMOUNT_NOFOLLOW = 8;
  check(syscall("umount2", name, MNT_DETACH | UMOUNT_NOFOLLOW), () => `unmount ${name}`);
}

/** What {@link openTree} opens. */
export interface OpenTreeOptions {
  /** A copy of the mount, attached nowhere: a bind mount to be. It is gone when the descriptor closes unattached. */
  clone: boolean;
  /** With the mounts below it. */
  recursive: boolean;
  /** Whether a source that is a symlink is itself meant; by default what it leads to is. */
  nofollow?: boolean;
}

/**
 * Opens a mount by path or by a descriptor on any place in it.
 * @throws {SyscallError} `open_tree`; EINVAL also when the mount is unbindable, or of another mount namespace
 * @see open_tree(2), Linux 5.2
 */
export function openTree(source: string | Fd, { clone, recursive, nofollow }: OpenTreeOptions): Fd {
  const OPEN_TREE_CLONE = 1;
  const flags = O.CLOEXEC | (clone ? OPEN_TREE_CLONE : 0) | (recursive ? AT.RECURSIVE : 0);
  const result =
    typeof source === "string"
      ? syscall("open_tree", AT_FDCWD, source, flags | (nofollow ? AT.SYMLINK_NOFOLLOW : 0))
      : syscall("open_tree", source.number, "", flags | AT.EMPTY_PATH);
  return new Fd(check(result, () => `open_tree${typeof source === "string" ? ` ${source}` : ""}`));
}

/**
 * Attaches (or moves) a mount onto a place. Both by descriptor: no path is looked up.
 *
 * `mount` goes on naming the mount, now in its place.
 *
 * @param target a descriptor, or a path whose symlinks are followed
 * @throws {SyscallError} `move_mount`
 * @see move_mount(2), Linux 5.2
 */
export function moveMount(mount: Fd, target: Fd | string): void {
  const F_EMPTY_PATH = 0x4;
  const T_SYMLINKS = 0x10;
  const T_EMPTY_PATH = 0x40;
  const result =
    typeof target === "string"
      ? syscall("move_mount", mount.number, "", AT_FDCWD, target, F_EMPTY_PATH | T_SYMLINKS)
      : syscall("move_mount", mount.number, "", target.number, "", F_EMPTY_PATH | T_EMPTY_PATH);
  check(result, () => `move_mount${typeof target === "string" ? ` to ${target}` : ""}`);
}

/** What {@link mountSetAttributes} changes. */
export interface MountAttributes {
  set?: readonly MountAttribute[];
  clear?: readonly MountAttribute[];
  propagation?: PropagationType;
  /** A user namespace whose id maps the mount's owners go through. */
  idmap?: Fd;
  /** The mounts below it, too: all or none. */
  recursive?: boolean;
}

/**
 * Changes what a mount says, leaving what is not named.
 *
 * The access times are one setting of three values: one of them in `set` or `clear` replaces the setting, and a cleared
 * one leaves the kernel's default, `relatime`.
 *
 * @throws {SyscallError} `mount_setattr`; EPERM when a user namespace's lock forbids it
 * @see mount_setattr(2), Linux 5.12
 */
export function mountSetAttributes(mount: Fd, attributes: MountAttributes): void {
  check(mountSetAttributesResult(mount, attributes), () => `mount_setattr ${describeAttributes(attributes)}`);
}

/** {@link mountSetAttributes}. @returns 0 or `-errno` */
export function mountSetAttributesResult(mount: Fd, attributes: MountAttributes): number {
  const { set = [], clear = [], propagation, idmap, recursive = false } = attributes;
  let setBits = attributeBits(set);
  let clearBits = 0;
  for (const name of clear) clearBits |= isAccessTime(name) ? MOUNT_ATTR_ATIME : MOUNT_ATTRIBUTES[name];
  if (set.some(isAccessTime)) clearBits |= MOUNT_ATTR_ATIME;
  if (idmap !== undefined) setBits |= MOUNT_ATTR_IDMAP;
  // struct mount_attr: attr_set, attr_clr, propagation, userns_fd
  const memory = new BigUint64Array([
    BigInt(setBits),
    BigInt(clearBits),
    BigInt(propagation === undefined ? 0 : PROPAGATION_FLAGS[propagation]),
    BigInt(idmap?.number ?? 0),
  ]);
  const flags = AT.EMPTY_PATH | (recursive ? AT.RECURSIVE : 0);
  return syscall("mount_setattr", mount.number, "", flags, memory, memory.byteLength);
}

/**
 * Maps the owners of a detached mount by a user namespace's id maps.
 * @throws {SyscallError} EINVAL when the filesystem knows no id-mapped mounts
 * @see mount_setattr(2), "ID-mapped mounts"
 */
export function mapOwners(tree: Fd, userNamespace: Fd, recursive: boolean): void {
  const result = mountSetAttributesResult(tree, { idmap: userNamespace, recursive });
  check(
    result,
    () =>
      `failed to set MOUNT_ATTR_IDMAP${result === -22 ? " (maybe the filesystem doesn't support idmap mounts on this kernel?)" : ""}`,
  );
}

/** Attributes as bits. Of several settings of access times the strongest counts, as with mount(2): strictatime, then noatime. */
export function attributeBits(names: readonly MountAttribute[]): number {
  const { noatime, strictatime } = MOUNT_ATTRIBUTES;
  const bits = names.reduce((sum, name) => sum | MOUNT_ATTRIBUTES[name], 0);
  return (bits & strictatime) === 0 ? bits : bits & ~noatime;
}

/** Whether it is one of the settings of access times, of which a mount has one. */
export function isAccessTime(name: MountAttribute): boolean {
  return name === "relatime" || name === "noatime" || name === "strictatime";
}

function describeAttributes({ set = [], clear = [], propagation, idmap, recursive }: MountAttributes): string {
  const words = [...set, ...clear.map((name) => `-${name}`), propagation, idmap && "idmap", recursive && "recursive"];
  return `[${words.filter(Boolean).join(",")}]`;
}

/**
 * Makes a mount the root of the mount namespace, with the working directory and root of its processes, and lets the old
 * root go.
 *
 * The old root ends stacked upon the new one, so that no directory of the rootfs has to take it.
 *
 * @param root   a descriptor on the root of a mount
 * @param oldRoot a descriptor on `/`
 * @throws {SyscallError} `pivot_root`, `unmount`
 * @see pivot_root(2), "pivot_root(".", ".")"
 */
export function pivotRoot(root: Fd, oldRoot: Fd): void {
  changeDirectory(root);
  check(syscall("pivot_root", ".", "."), "pivot_root");
  changeDirectory(oldRoot);
  // An unmount in a shared tree would reach the host.
  setPropagation(".", "slave", true);
  unmountDetach(".");
  check(syscall("chdir", "/"), "chdir to /");
}

/** Makes the working directory the root directory of this process. @see chroot(2) */
export function chrootHere(): void {
  check(syscall("chroot", "."), "chroot");
  check(syscall("chdir", "/"), "chdir to /");
}

/** @throws {SyscallError} `fchdir` */
export function changeDirectory(directory: Fd): void {
  check(syscall("fchdir", directory.number), "fchdir");
}
