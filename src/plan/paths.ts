/** Paths in the container as config.json has them. */

/** A destination, made absolute and clean; one that goes through the rootfs's own path on the host means inside it. */
export function targetPath(destination: string, rootfsPath: string): string {
  const path = cleanPath(destination);
  if (rootfsPath === "/") return path;
  if (path === rootfsPath) return "/";
  return path.startsWith(`${rootfsPath}/`) ? path.slice(rootfsPath.length) : path;
}

/** Absolute and lexically clean: `cleanPath("a/../b/")` is `"/b"`. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}
