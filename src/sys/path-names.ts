/**
 * Paths as texts: what `node:path` does for POSIX, for names that are bytes. The engine's `node:path` makes U+FFFD of a lone surrogate, which
 * stands for a byte here (`text.ts`), so that the path leads nowhere, or to another file.
 */

import { currentDirectory } from "./user.ts";

/** Without `.`, doubled slashes, and `..` after a name: `normalize("/a/../b//c")` is `"/b/c"`. A slash at the end stays. */
export function normalize(path: string): string {
  if (path === "") return ".";
  const absolute = path.startsWith("/");
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    const last = parts[parts.length - 1];
    if (part !== ".." || (last === undefined && !absolute) || last === "..") parts.push(part);
    else parts.pop();
  }
  const clean = parts.join("/");
  const end = path.endsWith("/") && clean !== "" ? "/" : "";
  if (absolute) return `/${clean}${end}`;
  return clean === "" ? (path.endsWith("/") ? "./" : ".") : `${clean}${end}`;
}

/** Parts with slashes between them, normalized; empty ones do not count. */
export function join(...parts: readonly string[]): string {
  let joined = "";
  for (const part of parts) if (part !== "") joined += joined === "" ? part : `/${part}`;
  return normalize(joined);
}

export function isAbsolute(path: string): boolean {
  return path.startsWith("/");
}

/** The absolute path that a path means in a directory; the working directory, as the kernel has it, when left out. No slash at its end. */
export function resolve(...parts: readonly string[]): string {
  let path = "";
  for (const part of parts) {
    if (part !== "") path = isAbsolute(part) || path === "" ? part : `${path}/${part}`;
  }
  const absolute = normalize(isAbsolute(path) ? path : `${currentDirectory()}/${path}`);
  return absolute.length > 1 && absolute.endsWith("/") ? absolute.slice(0, -1) : absolute;
}

/** All but the last name: `"/"` of `"/a"`, `"."` of `"a"`. */
export function dirname(path: string): string {
  const end = withoutEnd(path);
  const slash = end.lastIndexOf("/");
  if (slash === -1) return path.startsWith("/") ? "/" : ".";
  return withoutEnd(end.slice(0, slash)) || "/";
}

/** The last name: `"b"` of `"/a/b/"`. */
export function basename(path: string): string {
  const end = withoutEnd(path);
  return end.slice(end.lastIndexOf("/") + 1);
}

/** The way from one absolute path to another: `relative("/a/b", "/a/c")` is `"../c"`, of the same path `""`. */
export function relative(from: string, to: string): string {
  const [start, goal] = [from, to].map((path) => normalize(path).split("/").filter(Boolean)) as [string[], string[]];
  let common = 0;
  while (common < start.length && start[common] === goal[common]) common++;
  return [...start.slice(common).map(() => ".."), ...goal.slice(common)].join("/");
}

function withoutEnd(path: string): string {
  let end = path.length;
  while (end > 0 && path[end - 1] === "/") end--;
  return path.slice(0, end);
}
