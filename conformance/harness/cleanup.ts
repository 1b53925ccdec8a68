/** Finds what a check's containers left behind, and takes it away. */

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, rmdirSync } from "node:fs";
import { join } from "node:path";

export type Leftover = { kind: "mount" | "cgroup"; path: string } | { kind: "process"; pid: number; command: string };

/**
 * Looks, and looks again for a second and a half: a killed process takes a moment to go.
 * @param directory the check's temporary directory: nothing is mounted below it, no process lives in it
 * @param ids no cgroup is named by one
 */
export async function leftovers(directory: string, ids: readonly string[]): Promise<Leftover[]> {
  const names = ids.length === 0 ? /(?!)/ : new RegExp(`(?:${ids.join("|")})(?!\\d)`);
  let found: Leftover[] = [];
  for (let attempt = 0; attempt < 30; attempt++) {
    found = [...mounts(directory), ...cgroups(names), ...processes(directory, names)];
    if (found.length === 0) break;
    await new Promise((done) => setTimeout(done, 50));
  }
  return found;
}

/** Takes away what was found, so that one failure does not cause others. */
export async function sweep(found: readonly Leftover[]): Promise<void> {
  if (found.length === 0) return;
  for (const left of found) if (left.kind === "process") attempt(() => process.kill(left.pid, "SIGKILL"));
  await new Promise((done) => setTimeout(done, 200));
  for (const left of found) {
    if (left.kind === "cgroup") attempt(() => rmdirSync(left.path));
    if (left.kind === "mount") attempt(() => execFileSync("umount", ["-l", left.path], { stdio: "ignore" }));
  }
}

function mounts(directory: string): Leftover[] {
  const points = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return points
    .map((line) => line.split(" ")[4] ?? "")
    .filter((point) => point.startsWith(`${directory}/`))
    .map((path) => ({ kind: "mount", path }));
}

function cgroups(names: RegExp): Leftover[] {
  const found: Leftover[] = [];
  const visit = (path: string, depth: number): void => {
    for (const name of subdirectories(path)) {
      const child = join(path, name);
      if (names.test(name)) found.push({ kind: "cgroup", path: child });
      else if (depth > 0) visit(child, depth - 1);
    }
  };
  visit("/sys/fs/cgroup", 3);
  return found;
}

function subdirectories(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return []; // Removed while we looked.
  }
}

function processes(directory: string, names: RegExp): Leftover[] {
  const found: Leftover[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    attempt(() => {
      const cgroup = readFileSync(`/proc/${name}/cgroup`, "utf8");
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      const places = [readlinkSync(`/proc/${name}/root`), readlinkSync(`/proc/${name}/cwd`)];
      if (names.test(cgroup) || command.includes(directory) || places.some((place) => place.startsWith(directory))) {
        found.push({ kind: "process", pid: Number(name), command });
      }
    });
  }
  return found;
}

/** Does what may fail because a process or a cgroup is gone meanwhile. */
function attempt(act: () => void): void {
  try {
    act();
  } catch {
    // Gone: all the better.
  }
}
