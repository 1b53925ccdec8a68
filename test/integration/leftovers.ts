/** Finds what a container left behind, processes, mounts, cgroups and state, and clears it away. */
import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from "node:fs";
import { join } from "node:path";

/** A thing that a container left behind. */
export type Leftover =
  | { kind: "state" | "mount" | "cgroup"; path: string }
  | { kind: "process"; pid: number; command: string };

/**
 * Looks for what is left of containers, and looks again for two seconds: a killed process takes a moment to go.
 * @param directory no mount may lie below it
 * @param root the state directory: nothing may be in it
 * @param names matches the names of the containers' cgroups
 */
export async function leftovers(directory: string, root: string, names: RegExp): Promise<Leftover[]> {
  let found: Leftover[] = [];
  for (let attempt = 0; attempt < 40; attempt++) {
    found = [...states(root), ...mounts(directory), ...cgroups(names), ...processes(directory, names)];
    if (found.length === 0) break;
    await new Promise((done) => setTimeout(done, 50));
  }
  return found;
}

/** Kills the processes and removes the cgroups that {@link leftovers} found, so that one failure does not cause more. */
export async function sweep(found: Leftover[]): Promise<void> {
  for (const leftover of found) if (leftover.kind === "process") attempt(() => process.kill(leftover.pid, "SIGKILL"));
  await new Promise((done) => setTimeout(done, found.length > 0 ? 200 : 0));
  for (const leftover of found) if (leftover.kind === "cgroup") attempt(() => rmdirSync(leftover.path));
}

function states(root: string): Leftover[] {
  // Filters of system calls are kept for the next container.
  const names = existsSync(root) ? readdirSync(root).filter((name) => name !== "seccomp:filters") : [];
  return names.map((name) => ({ kind: "state", path: join(root, name) }));
}

function mounts(directory: string): Leftover[] {
  const points = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "");
  return points.filter((point) => point.startsWith(`${directory}/`)).map((path) => ({ kind: "mount", path }));
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
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    // No such hierarchy, or a cgroup that was removed while we looked.
    return [];
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
      const ours =
        names.test(cgroup) || command.includes(directory) || places.some((place) => place.startsWith(directory));
      if (ours) found.push({ kind: "process", pid: Number(name), command });
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
