/** Owner, permissions and extended attributes, in the order in which the kernel leaves them as they were set. */
import { chmodAt, chownAt } from "../../sys/at.ts";
import { type ByteName, printable } from "../../sys/byte-name.ts";
import { ERRNO } from "../../sys/errno.ts";
import { check } from "../../sys/error.ts";
import { syscall } from "../../sys/ffi.ts";
import { setXattrAt } from "../../sys/xattr.ts";
import type { ExtractContext } from "./extract-context.ts";
import { LayerError } from "./layer-error.ts";

const { EINVAL, EOPNOTSUPP, EPERM } = ERRNO;

export interface Attributes {
  /** Permissions with setuid, setgid and sticky bit. */
  mode: number;
  uid: number;
  gid: number;
  xattrs: ReadonlyMap<ByteName, ByteName>;
}

/** What the host decides, and no image: neither set nor cleared. */
const OF_THE_HOST = new Set<string>(["security.selinux", "security.ima", "security.evm", "system.nfs4_acl"]);

/** Sets what an open file's attributes are. The file must not be written to afterwards: that would clear setuid and capabilities. */
export function setFileAttributes(fd: number, path: ByteName, attributes: Attributes, context: ExtractContext): void {
  const [uid, gid] = ownersOf(attributes, context);
  check(chown(syscall("fchown", fd, uid, gid), attributes), () => `chown ${printable(path)}`);
  check(syscall("fchmod", fd, attributes.mode), () => `chmod ${printable(path)}`);
  if (attributes.xattrs.size > 0) setXattrs(fd, "" as ByteName, path, attributes.xattrs, context);
}

/** {@link setFileAttributes} of an open directory. */
export const setDirectoryAttributes = setFileAttributes;

/** Sets what the attributes of something are that is not opened: a symlink, which has no permissions, a device, a fifo. */
export function setNodeAttributes(
  directory: number,
  name: ByteName,
  path: ByteName,
  attributes: Attributes,
  isSymlink: boolean,
  context: ExtractContext,
): void {
  const [uid, gid] = ownersOf(attributes, context);
  check(chown(chownAt(directory, name, uid, gid), attributes), () => `chown ${printable(path)}`);
  if (!isSymlink) check(chmodAt(directory, name, attributes.mode), () => `chmod ${printable(path)}`);
  if (attributes.xattrs.size > 0) setXattrs(directory, name, path, attributes.xattrs, context);
}

/** `-1` is "no change" to the kernel, which would leave the file root's. @see chown(2) */
const LARGEST_ID = 0xfffffffe;

/** @returns the ids for chown(2), which takes -1 for "no change" */
function ownersOf({ uid, gid }: Attributes, { owners, notices }: ExtractContext): [uid: number, gid: number] {
  for (const id of [uid, gid]) {
    if (id < 0 || id > LARGEST_ID) throw new LayerError(`the id ${id} is not one of 0 to ${LARGEST_ID}`);
  }
  if (owners === "archive") return [uid, gid];
  if (uid !== 0 || gid !== 0)
    notices.add("owner", () => "files of other owners than root belong to root: there is one id to map");
  const NO_CHANGE = 0xffffffff;
  return [NO_CHANGE, NO_CHANGE];
}

/** @throws {LayerError} for an id that the user namespace does not map */
function chown(result: number, { uid, gid }: Attributes): number {
  if (result === -EINVAL) throw new LayerError(`the owner ${uid}:${gid} is not mapped in this user namespace`);
  return result;
}

function setXattrs(
  directory: number,
  name: ByteName,
  path: ByteName,
  xattrs: ReadonlyMap<ByteName, ByteName>,
  { notices }: ExtractContext,
): void {
  for (const [attribute, value] of xattrs) {
    if (OF_THE_HOST.has(attribute)) continue;
    const words = () => `${printable(attribute)} of ${printable(path)}`;
    if (/^(trusted|user)\.overlay\./.test(attribute)) {
      notices.add("overlay attribute", () => `left out ${words()}: no layer may decide what an overlay mount hides`);
      continue;
    }
    const result = setXattrAt(directory, name, attribute, value);
    if (result === -EOPNOTSUPP || result === -EPERM) {
      const kind = attribute === "security.capability" ? "capabilities lost" : "xattr not supported";
      const reason = result === -EPERM ? "this process may not set it" : "the filesystem has no such attributes";
      notices.add(kind, () => `left out ${words()}: ${reason}`);
      continue;
    }
    check(result, () => `set ${words()}`);
  }
}
