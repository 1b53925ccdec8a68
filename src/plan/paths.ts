/** Paths in the container as config.json has them. */
import { resolve } from "../sys/path-names.ts";

/** A destination, made absolute and clean; one that goes through the rootfs's own path on the host means inside it. */
export function targetPath(destination: string, rootfsPath: string): string {
  const path = cleanPath(destination);
  if (rootfsPath === "/") return path;
  if (path === rootfsPath) return "/";
  return path.startsWith(`${rootfsPath}/`) ? path.slice(rootfsPath.length) : path;
}

/** Absolute and lexically clean: `cleanPath("a/../b/")` is `"/b"`. */
export function cleanPath(path: string): string {
  return resolve("/", path);
}
