/** `--chown`: names of the image, never of the host, or numbers. */
import type { Fd } from "../../../sys/fd.ts";
import { readInImage, resolveUser } from "../../bundle/user.ts";

export interface Owner {
  uid: number;
  gid: number;
}

/**
 * @param text `USER`, `USER:GROUP` or `:GROUP`
 * @throws {Error} for a name that the image does not have
 */
export function resolveOwner(rootfs: Fd, text: string): Owner {
  return ownerOf(text, (path) => readInImage(rootfs, path));
}

/**
 * What BuildKit makes of it: no user and `root` are user 0, whether or not the image has a passwd; without a group, a number is that of the group,
 * too, and a name brings its primary group. A colon with nothing after it is group 0 (`--chown=$USER:$GROUP` without a GROUP).
 * @see buildkit/client/llb/fileop.go, WithUser: a group of no name is marshalled as number 0
 * @param read a file of the image's, called where a name stands
 */
export function ownerOf(text: string, read: (path: string) => string): Owner {
  const [user = "0", group, ...more] = text.split(":").map((part) => (part === "root" || part === "" ? "0" : part));
  const known = [user, ...(group === undefined ? [] : [group]), ...more].join(":");
  const isNumber = (part: string) => /^\d+$/.test(part);
  const [passwd, groups] =
    isNumber(user) && isNumber(group ?? "0") ? ["", ""] : [read("/etc/passwd"), read("/etc/group")];
  const { uid, gid } = resolveUser(known, passwd, groups).user;
  return { uid, gid: group === undefined && isNumber(user) ? uid : gid };
}
