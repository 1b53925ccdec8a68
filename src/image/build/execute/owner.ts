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
 * too, and a name brings its primary group.
 * @param read a file of the image's, called where a name stands
 */
export function ownerOf(text: string, read: (path: string) => string): Owner {
  const parts = text.split(":").map((part) => (part === "root" ? "0" : part));
  const [user = "", group = ""] = parts;
  const known = [user === "" ? "0" : user, ...parts.slice(1)].join(":");
  const isNumber = (part: string) => /^\d*$/.test(part);
  const [passwd, groups] = isNumber(user) && isNumber(group) ? ["", ""] : [read("/etc/passwd"), read("/etc/group")];
  const { uid, gid } = resolveUser(known, passwd, groups).user;
  return { uid, gid: group === "" && isNumber(user) ? uid : gid };
}
