/**
 * The volumes that an image asks for: a directory of the bundle each, mounted in the place of the image's, with what the image has there.
 * Gone with the bundle: what is to stay is mounted by `--volume`.
 * @see image-spec conversion.md, "Config.Volumes"
 */
import { mkdirSync } from "node:fs";
import type { Mount } from "../../config/types.ts";
import { type Fd, O, open } from "../../sys/fd.ts";
import { findInRoot } from "../../sys/path.ts";
import { join } from "../../sys/path-names.ts";
import type { ExtractContext } from "../layer/extract-context.ts";
import { Notices } from "../layer/notices.ts";
import { copyTree } from "../snapshot/copy-tree.ts";
import { overlayNamespace } from "../snapshot/directories.ts";
import { type BundleOptions, placeOf } from "./options.ts";

/**
 * Makes the directories.
 * @param directory made when there are any
 * @param paths as the image has them: resolved inside of its rootfs, wherever its symlinks lead
 */
export function makeVolumes(
  rootfs: Fd,
  directory: string,
  paths: readonly string[],
  { mounts, tmpfs, rootless }: BundleOptions,
): Mount[] {
  const taken = new Set([...mounts, ...tmpfs].map(({ destination }) => placeOf(destination)));
  const wanted = [...new Set(paths.map(placeOf))].sort().filter((path) => path !== "/" && !taken.has(path));
  if (wanted.length > 0) mkdirSync(directory, { mode: 0o700 });
  return wanted.map((destination, index) => {
    const source = join(directory, `${index}`);
    mkdirSync(source, { mode: 0o755 });
    using from = findInRoot(rootfs, destination, O.RDONLY | O.DIRECTORY) ?? undefined;
    if (from !== undefined) {
      using to = open(source, O.RDONLY | O.DIRECTORY);
      const owners = rootless || process.geteuid?.() !== 0 ? "own" : "archive";
      const context: ExtractContext = { owners, overlay: overlayNamespace(), notices: new Notices() };
      copyTree(from, to, context);
    }
    return { destination, type: "bind", source, options: ["rbind", "rw"] };
  });
}
