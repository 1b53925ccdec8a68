/** Finds what a container left behind: processes, mounts, cgroups, state. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/**
 * Looks for what is left of containers, and looks again for two seconds: a killed process takes a moment to go.
 * @param directory no mount may lie below it
 * @param root the state directory: nothing may be in it
 * @param ids the containers
 * @returns a line for each thing found
 */
export async function leftovers(directory: string, root: string, ids: string[]): Promise<string[]> {
  let found: string[] = [];
  for (let attempt = 0; attempt < 40; attempt++) {
    found = [...states(root), ...mounts(directory), ...cgroups(ids), ...processes(directory, ids)];
    if (found.length === 0) break;
    await new Promise((done) => setTimeout(done, 50));
  }
  return found;
}

function states(root: string): string[] {
  return (existsSync(root) ? readdirSync(root) : []).map((name) => `state directory ${join(root, name)}`);
}

function mounts(directory: string): string[] {
  const points = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "");
  return points.filter((point) => point.startsWith(`${directory}/`)).map((point) => `mount ${point}`);
}

function cgroups(ids: string[]): string[] {
  const found: string[] = [];
  const visit = (path: string, depth: number): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const child = join(path, entry.name);
      if (ids.some((id) => mentions(entry.name, id))) found.push(`cgroup ${child}`);
      else if (depth > 0) visit(child, depth - 1);
    }
  };
  if (existsSync("/sys/fs/cgroup")) visit("/sys/fs/cgroup", 3);
  return found;
}

function processes(directory: string, ids: string[]): string[] {
  const found: string[] = [];
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    try {
      const cgroup = readFileSync(`/proc/${pid}/cgroup`, "utf8");
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
      const root = readlinkSync(`/proc/${pid}/root`);
      const cwd = readlinkSync(`/proc/${pid}/cwd`);
      const ours = ids.some((id) => mentions(cgroup, id)) || command.includes(directory);
      if (ours || root.startsWith(directory) || cwd.startsWith(directory)) found.push(`process ${pid}: ${command}`);
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

/** Whether a text names an id, and not a longer one that it begins. */
function mentions(text: string, id: string): boolean {
  return new RegExp(`${id}(?!\\d)`).test(text);
}
