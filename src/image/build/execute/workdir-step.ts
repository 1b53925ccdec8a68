/** Carries out WORKDIR, which makes its directory for the user that comes after it. */
import { readInImage, resolveUser } from "../../bundle/user.ts";
import type { Step } from "../plan/steps.ts";
import { makeDirectories } from "./copy-files.ts";
import type { MountedLayers } from "./mounted-layers.ts";

/** @throws {Error} for a user that the image does not know */
export function makeWorkdir({ path, user }: Extract<Step, { kind: "workdir" }>, { root }: MountedLayers): void {
  makeDirectories(root, path, ownerOf(root, user)).close();
}

function ownerOf(root: MountedLayers["root"], user: string): { uid: number; gid: number } | null {
  if (user === "") return null;
  const { uid, gid } = resolveUser(user, readInImage(root, "/etc/passwd"), readInImage(root, "/etc/group")).user;
  return { uid, gid };
}
