import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { detectCgroupMounts } from "../../src/cgroup/layout.ts";

let whyNot: string | null | undefined;

/**
 * Why tests cannot make namespaces and mounts here; `null` where they can. Root need not be able to: in a container it lacks
 * capabilities. Asked of unshare(1), not of the program under test, whose failures are no reason to skip.
 */
export function whyNotPrivileged(): string | null {
  if (whyNot === undefined) whyNot = probe();
  return whyNot;
}

/** Why tests cannot make cgroups here; `null` where they can. In a container the mounts may be read-only. */
export function whyNoCgroups(): string | null {
  const mounts = detectCgroupMounts();
  if (mounts.length === 0) return "needs cgroups";
  return mounts.some(({ mountPoint }) => canWrite(mountPoint)) ? null : "needs cgroups that can be written";
}

function canWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function probe(): string | null {
  if (process.geteuid?.() !== 0) return "needs root";
  const namespaces = ["--mount", "--pid", "--net", "--ipc", "--uts", "--fork"];
  const { status, stderr, error } = spawnSync("unshare", [...namespaces, "mount", "-t", "tmpfs", "none", "/tmp"], {
    encoding: "utf8",
  });
  if (status === 0) return null;
  return `needs the right to make namespaces and mounts: ${error?.message ?? stderr.trim().replaceAll("\n", "; ")}`;
}
