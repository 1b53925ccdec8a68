/** Carries out WORKDIR, which makes its directory for the user that comes after it. */
import { O } from "../../../sys/fd.ts";
import { findInRoot } from "../../../sys/path.ts";
import { refuseUnmapped } from "../../bundle/mapped-ids.ts";
import { readInImage, resolveUser } from "../../bundle/user.ts";
import type { Step } from "../plan/steps.ts";
import { makeDirectories } from "./copy-files.ts";
import type { MountedLayers } from "./mounted-layers.ts";

/** @throws {Error} for a user that the image does not know, if there is something to make */
export function makeWorkdir({ path, user }: Extract<Step, { kind: "workdir" }>, { root }: MountedLayers): void {
  using there = findInRoot(root, path, O.PATH | O.DIRECTORY) ?? undefined;
  if (there === undefined) makeDirectories(root, path, ownerOf(root, user)).close();
}

function ownerOf(root: MountedLayers["root"], user: string): { uid: number; gid: number } | null {
  if (user === "") return null;
  const { uid, gid } = resolveUser(user, readInImage(root, "/etc/passwd"), readInImage(root, "/etc/group")).user;
  refuseUnmapped(`the user ${JSON.stringify(user)}`, { uid, gid });
  return { uid, gid };
}
