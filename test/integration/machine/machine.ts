/** What kind of machine the tests run on: which cgroup drivers it has, and where a process's cgroups are. */

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { detectCgroupMounts, readOwnCgroups } from "../../../src/cgroup/layout.ts";
import type { Resources } from "../../../src/config/types.ts";
import { type Edit, makeBundle, newId, type Result, tsrunc } from "../harness.ts";

const mounts = detectCgroupMounts();

/** The version that limits containers here. */
export const version: 1 | 2 = mounts.some((mount) => mount.version === 1 && mount.controllers.includes("memory"))
  ? 1
  : 2;

/** Why a test that asks systemd for anything cannot run here; `null` where it can. */
export const whyNoSystemd = existsSync("/run/systemd/system") ? null : "needs systemd";

export type DriverName = "cgroupfs" | "systemd";

/** The cgroup drivers, and why one cannot be tested here. */
export const drivers: [driver: DriverName, whyNot: string | null][] = [
  ["cgroupfs", null],
  ["systemd", whyNoSystemd],
];

/** Runs a container with limits, by a driver. @param flags of `run` */
export function runLimited(
  driver: DriverName,
  script: string,
  resources: Resources,
  { edit = () => {}, flags = [] }: { edit?: Edit; flags?: string[] } = {},
): Result & { id: string } {
  const id = newId();
  const bundle = makeBundle(script, (config, made) => {
    if (driver === "systemd") config.linux.cgroupsPath = `:tsrunc:${id}`;
    Object.assign(config.linux.resources, resources);
    edit(config, made);
  });
  const global = ["--cgroup-manager", driver];
  return { id, ...tsrunc(["run", ...flags, "--bundle", bundle.path, id], { global }) };
}

/** The directory of a process's cgroup. @param controller as v1 names it */
export function cgroupDirectory(pid: number, controller: string): string {
  const mount =
    mounts.find(({ controllers }) => controllers.includes(controller)) ?? mounts.find((other) => other.version === 2);
  if (mount === undefined) throw new Error(`no cgroup hierarchy with ${controller}`);
  const path = readOwnCgroups(pid).get(mount.version === 1 ? controller : "");
  if (path === undefined) throw new Error(`process ${pid} has no cgroup with ${controller}`);
  return join(mount.mountPoint, path);
}

/** Why a test that gives out CPUs cannot run here; `null` where it can. User-mode Linux has them to share, but no cpuset. */
export const whyNoCpuset = mounts.some(
  ({ version: v, mountPoint, controllers }) =>
    v === version && (v === 1 ? controllers : controllersOf(mountPoint)).includes("cpuset"),
)
  ? null
  : "needs cpuset.cpus";

/** The controllers that a v2 hierarchy has to give. */
function controllersOf(mountPoint: string): string[] {
  return readFileSync(join(mountPoint, "cgroup.controllers"), "utf8").trim().split(" ");
}

/** Whether a new cgroup has a file, such as `memory.max`. */
export function hasFile(file: string): boolean {
  const controller = file.split(".")[0] as string;
  const mount = mounts.find((one) => (version === 2 ? one.version === 2 : one.controllers.includes(controller)));
  if (mount === undefined) return false;
  if (mount.version === 2 && controllersOf(mount.mountPoint).includes(controller)) {
    try {
      // What nobody has asked for yet is not switched on; for a container it would be.
      writeFileSync(join(mount.mountPoint, "cgroup.subtree_control"), `+${controller}`);
    } catch {
      // The mount is a namespace's, and has processes of its own: then no container gets it there.
    }
  }
  const directory = join(mount.mountPoint, `tsrunc-test-${process.pid}-probe`);
  mkdirSync(directory);
  try {
    return existsSync(join(directory, file));
  } finally {
    rmdirSync(directory);
  }
}

/** What a file of a process's cgroup says. @param file such as `memory.max`: its beginning names the controller */
export function cgroupFile(pid: number, file: string): string {
  return readFileSync(join(cgroupDirectory(pid, file.split(".")[0] as string), file), "utf8").trim();
}
