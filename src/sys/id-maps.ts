/** The id maps of user namespaces. */

import { isExecutable, readText, writeFile } from "./file.ts";
import { join } from "./path-names.ts";
import { exitCode } from "./process.ts";
import { runProgram } from "./spawn.ts";
import type { IdRange } from "./user-namespace.ts";

export interface IdMaps {
  uid: IdRange[];
  gid: IdRange[];
}

/** Reads the map of a process's user namespace. @throws {SyscallError} */
export function readIdMap(pid: number | "self", map: "uid_map" | "gid_map"): IdRange[] {
  return parseIdMap(readText(`/proc/${pid}/${map}`));
}

/** Reads the text of a `uid_map` or `gid_map`. Pure. @see user_namespaces(7) */
export function parseIdMap(text: string): IdRange[] {
  return text.split("\n").flatMap((line) => {
    if (line.trim() === "") return [];
    const [containerID = 0, hostID = 0, size = 0] = line.trim().split(/\s+/).map(Number);
    return [{ containerID, hostID, size }];
  });
}

/**
 * Writes the id maps of a process that was forked into a new user namespace.
 *
 * An ordinary user may map its own id itself; the ranges of `/etc/subuid` take the setuid helpers newuidmap and newgidmap.
 *
 * @throws {Error} when the kernel or the helpers refuse the maps
 * @see user_namespaces(7), newuidmap(1)
 */
export function writeIdMaps(pid: number, maps: IdMaps, euid: number): void {
  if (euid === 0) {
    writeMap(`/proc/${pid}/uid_map`, maps.uid);
    writeMap(`/proc/${pid}/gid_map`, maps.gid);
    return;
  }
  if (onlyOwnId(maps.uid)) writeMap(`/proc/${pid}/uid_map`, maps.uid);
  else runHelper("newuidmap", pid, maps.uid);
  if (onlyOwnId(maps.gid)) {
    // An unprivileged gid map takes that the process can no more drop groups: they may be there to deny it something.
    writeFile(`/proc/${pid}/setgroups`, "deny");
    writeMap(`/proc/${pid}/gid_map`, maps.gid);
  } else runHelper("newgidmap", pid, maps.gid);
}

function onlyOwnId(maps: readonly IdRange[]): boolean {
  return maps.length === 1 && maps[0]?.size === 1;
}

function writeMap(path: string, maps: readonly IdRange[]): void {
  const text = maps.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");
  try {
    writeFile(path, text);
  } catch (error) {
    throw new Error(`write the id map ${text.trim().replaceAll("\n", ", ")} to ${path}: ${(error as Error).message}`);
  }
}

function runHelper(name: string, pid: number, maps: readonly IdRange[]): void {
  const ranges = maps.flatMap(({ containerID, hostID, size }) => [containerID, hostID, size].map(String));
  const { status, stderr } = runProgram({
    path: findInPath(name),
    args: [name, String(pid), ...ranges],
    environment: [`PATH=${process.env["PATH"] ?? ""}`],
  });
  if (exitCode(status) !== 0) throw new Error(`${name} ${pid} ${ranges.join(" ")} failed: ${stderr.trim()}`);
}

/** Whether the helpers that take ranges are there. */
export function hasIdHelpers(): boolean {
  return ["newuidmap", "newgidmap"].every((name) => lookInPath(name) !== null);
}

function lookInPath(name: string): string | null {
  const places = (process.env["PATH"] ?? "/usr/bin:/bin").split(":").map((directory) => join(directory, name));
  return places.find((path) => isExecutable(path)) ?? null;
}

function findInPath(name: string): string {
  const path = lookInPath(name);
  if (path !== null) return path;
  throw new Error(`${name} is not in $PATH: an ordinary user needs it to map more ids than its own (package uidmap)`);
}
