/**
 * Extended attributes, of a file by its directory's descriptor and its name; a symlink is not followed.
 *
 * There is no `*at` form before Linux 6.13: the directory is named by its descriptor in `/proc/self/fd`. The empty name is what the
 * descriptor is open on, of whatever type, also by O_PATH.
 *
 * @see xattr(7)
 */
import { type ByteName, bytesOfName, nameOfBytes } from "./byte-name.ts";
import { ERRNO } from "./errno.ts";
import { syscall } from "./ffi.ts";

/** Where to read, and by which calls: the link of a descriptor itself is followed, by which the kernel gets to the open file. @see proc_pid_fd(5) */
function placeOf(directory: number, name: ByteName) {
  if (name === "") {
    const path = Buffer.from(`/proc/self/fd/${directory}\0`, "latin1");
    return { path, list: "listxattr", get: "getxattr" } as const;
  }
  return { path: pathOf(directory, name), list: "llistxattr", get: "lgetxattr" } as const;
}

function pathOf(directory: number, name: ByteName): Buffer {
  return Buffer.from(`/proc/self/fd/${directory}/${name}\0`, "latin1");
}

/** Sets an attribute; for the empty name of what the descriptor is open on. @returns 0 or `-errno` @see setxattr(2) */
export function setXattrAt(directory: number, name: ByteName, attribute: ByteName, value: ByteName): number {
  const memory = bytesOfName(value);
  if (name === "") {
    return syscall("fsetxattr", directory, Buffer.from(`${attribute}\0`, "latin1"), memory, memory.length, 0);
  }
  return syscall(
    "lsetxattr",
    pathOf(directory, name),
    Buffer.from(`${attribute}\0`, "latin1"),
    memory,
    memory.length,
    0,
  );
}

/** All attributes that this process may see; empty where the filesystem has none. @returns `-errno` for other failures */
export function xattrsAt(directory: number, name: ByteName): Map<ByteName, ByteName> | number {
  const { path, list, get } = placeOf(directory, name);
  const names = read((memory) => syscall(list, path, memory, memory.length));
  const xattrs = new Map<ByteName, ByteName>();
  if (typeof names === "number") return names === -ERRNO.EOPNOTSUPP ? xattrs : names;
  for (const attribute of names.split("\0").filter((text) => text !== "")) {
    const text = Buffer.from(`${attribute}\0`, "latin1");
    const value = read((memory) => syscall(get, path, text, memory, memory.length));
    if (typeof value !== "number") xattrs.set(attribute as ByteName, value);
  }
  return xattrs;
}

/** One attribute; `null` where it is not set. */
export function xattrAt(directory: number, name: ByteName, attribute: ByteName): ByteName | null {
  const { path, get } = placeOf(directory, name);
  const text = Buffer.from(`${attribute}\0`, "latin1");
  const value = read((memory) => syscall(get, path, text, memory, memory.length));
  return typeof value === "number" ? null : value;
}

/** Bytes of a value, or of all names, at most. @see XATTR_SIZE_MAX, XATTR_LIST_MAX */
const LARGEST = 65536;
const scratch = new Uint8Array(LARGEST);

function read(call: (memory: Uint8Array) => number): ByteName | number {
  const length = call(scratch);
  return length < 0 ? length : nameOfBytes(scratch.subarray(0, length));
}
