/** `--chown`: names of the image, never of the host, or numbers. */
import type { Fd } from "../../../sys/fd.ts";
import { readInImage, resolveUser } from "../../bundle/user.ts";

/**
 * A user without a group has the same number as group (Dockerfile reference).
 * @throws {Error} for a name that the image does not have
 */
export function resolveOwner(rootfs: Fd, text: string): { uid: number; gid: number } {
  const [user = "", group] = text.split(":");
  if (user === "") throw new Error(`--chown=${text}: USER[:GROUP] is right`);
  const isNumber = (part: string | undefined) => part === undefined || /^\d+$/.test(part);
  const hasNames = !isNumber(user) || !isNumber(group === "" ? undefined : group);
  const [passwd, groups] = hasNames
    ? [readInImage(rootfs, "/etc/passwd"), readInImage(rootfs, "/etc/group")]
    : ["", ""];
  const { uid, gid } = resolveUser(text, passwd, groups).user;
  return { uid, gid: group === undefined || group === "" ? uid : gid };
}
