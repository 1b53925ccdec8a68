/** What the tests on real cgroups share. */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { detectCgroupMounts, readOwnCgroups } from "../../src/cgroup/layout.ts";
import { type Cgroup, openCgroup } from "../../src/cgroup/manager.ts";
import { planCgroup } from "../../src/cgroup/plan.ts";
import { whyNoCgroups, whyNotPrivileged } from "../support/privileges.ts";

const mounts = detectCgroupMounts();
const unprivileged = whyNotPrivileged() ?? whyNoCgroups();

/** Why a test on the real cgroups of a version cannot run here; `null` when it can. */
export function reasonToSkip(version: 1 | 2): string | null {
  if (unprivileged !== null) return unprivileged;
  return mounts.some((mount) => mount.version === version) ? null : `no cgroup v${version} here`;
}

/** Controllers that are enabled below the v2 hierarchy's root. */
function enabledControllers(): string[] {
  return rootControl === null ? [] : readFileSync(rootControl, "utf8").split(/\s+/).filter(Boolean);
}

const root = mounts.find(({ version }) => version === 2)?.mountPoint;
const rootControl = root === undefined || unprivileged !== null ? null : `${root}/cgroup.subtree_control`;
const enabledBefore = enabledControllers();

/** Takes back what making cgroups has enabled at the hierarchy's root: a controller in use there cannot be mounted as v1. */
export function disableControllers(): void {
  for (const name of enabledControllers()) {
    if (!enabledBefore.includes(name)) writeFileSync(rootControl as string, `-${name}`);
  }
}

let count = 0;

/** A cgroup of this test's own on all hierarchies as a container gets it, or on the v2 one alone. */
export function ownCgroup(only: "all" | "v2", path = ""): Cgroup {
  const id = `tsrunc-test-${process.pid}-${count++}`;
  const usable = only === "v2" ? mounts.filter(({ version }) => version === 2) : mounts;
  const cgroupsPath = path === "" ? undefined : `${id}/${path}`;
  const own = readOwnCgroups();
  return openCgroup(
    planCgroup({ id, ...(cgroupsPath && { cgroupsPath }), mounts: usable, own, manager: "cgroupfs", rootless: false }),
  );
}

/** A process that does nothing, started by `command`. */
export class Idler implements Disposable {
  readonly #child: ChildProcess;
  readonly ended: Promise<NodeJS.Signals | null>;

  constructor(command: string[] = ["sleep", "60"]) {
    this.#child = spawn(command[0] as string, command.slice(1), { stdio: "ignore" });
    this.ended = new Promise((resolve) => this.#child.once("exit", (_, signal) => resolve(signal)));
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

/** Runs a shell command inside a cgroup. @returns its exit code */
export function runInside(cgroup: Cgroup, command: string): number {
  const path = cgroup.paths()[""] as string;
  try {
    execFileSync("sh", ["-c", `echo $$ >${path}/cgroup.procs; ${command}`], { stdio: "ignore" });
    return 0;
  } catch (error) {
    return (error as { status: number }).status;
  }
}
