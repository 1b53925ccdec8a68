/** The runtimes that a benchmark compares, and what each needs here to run at all. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { join, resolve } from "node:path";

/** A runtime that can be measured. */
export interface Runtime {
  name: "tsrunc" | "runc" | "crun";
  path: string;
  version: string;
  /** Its own `--root`. */
  root: string;
}

/** The runtimes that run the probe bundle here, and for each other one why it does not. */
export interface Found {
  runtimes: Runtime[];
  missing: { name: string; reason: string }[];
}

/**
 * Finds tsrunc in `dist/`, and runc and crun where RUNC and CRUN say, or in PATH.
 * @param probe a bundle whose process ends at once
 * @param scratch directory for their states
 */
export function findRuntimes(probe: string, scratch: string): Found {
  const found: Found = { runtimes: [], missing: [] };
  for (const name of ["tsrunc", "runc", "crun"] as const) {
    const path = name === "tsrunc" ? resolve("dist/tsrunc") : process.env[name.toUpperCase()] || inPath(name);
    if (path === null || !existsSync(path)) {
      found.missing.push({ name, reason: "not installed" });
      continue;
    }
    const root = join(scratch, `state-${name}`);
    const probed = spawnSync(path, ["--root", root, "run", "--bundle", probe, `bench-probe-${process.pid}`], {
      encoding: "utf8",
    });
    if (probed.status === 0) found.runtimes.push({ name, path, root, version: versionOf(path) });
    else found.missing.push({ name, reason: probed.stderr.trim().split("\n").at(-1) ?? "cannot run the probe" });
  }
  return found;
}

/**
 * crun refuses a machine whose v1 hierarchies leave a controller to v2, which is how hybrid machines come up.
 * Mounts those controllers as v1, where crun can use them.
 * @returns undoes it
 */
export function makeHybridFitForCrun(say: (message: string) => void): () => void {
  const controllers = "/sys/fs/cgroup/unified/cgroup.controllers";
  const mounted: string[] = [];
  if (!existsSync(controllers)) return () => {};
  for (const controller of readFileSync(controllers, "utf8").split(/\s+/).filter(Boolean)) {
    const directory = join("/sys/fs/cgroup", controller);
    if (existsSync(directory)) continue;
    mkdirSync(directory);
    const mount = spawnSync("mount", ["-t", "cgroup", "-o", controller, "cgroup", directory], { encoding: "utf8" });
    if (mount.status === 0) {
      mounted.push(directory);
      say(`mounted the ${controller} controller as cgroup v1 for the time of the benchmark: crun needs it`);
    } else {
      rmdirSync(directory);
      say(`could not mount the ${controller} controller as cgroup v1: ${mount.stderr.trim().split("\n")[0]}`);
    }
  }
  return () => {
    for (const directory of mounted) {
      execFileSync("umount", [directory]);
      rmdirSync(directory);
    }
  };
}

function inPath(name: string): string | null {
  const directories = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", "/sbin"];
  return directories.map((directory) => join(directory, name)).find((path) => existsSync(path)) ?? null;
}

function versionOf(path: string): string {
  const output = execFileSync(path, ["--version"], { encoding: "utf8" });
  return /version\s+(\S+)/.exec(output)?.[1] ?? "unknown";
}
