/** Puts the container's processes in their class of service. */

import type { IntelRdtPlan } from "../plan/intel-rdt.ts";
import { hasErrno } from "../sys/error.ts";
import { exists, mkdir, readText, writeFile } from "../sys/file.ts";
import { join } from "../sys/path-names.ts";

const DEFAULT_MOUNT_POINT = "/sys/fs/resctrl";

/**
 * Where the resctrl filesystem is mounted.
 * @param mountinfo the text of `/proc/self/mountinfo`
 * @returns `null` when it is not, or the processor has none of it
 * @see proc_pid_mountinfo(5)
 */
export function findResctrl(mountinfo?: string): string | null {
  // The kernel makes this directory wherever the hardware has any of it.
  if (mountinfo === undefined && !exists(DEFAULT_MOUNT_POINT)) return null;
  for (const line of (mountinfo ?? readText("/proc/self/mountinfo")).split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    if (after.startsWith("resctrl ")) return before.split(" ")[4] ?? null;
  }
  return null;
}

/** The resctrl filesystem, with what a plan wants of it. */
export class ResctrlGroup {
  readonly #plan: IntelRdtPlan;
  readonly #root: string;

  /**
   * @param root where the resctrl filesystem is mounted
   * @throws {Error} when it is not mounted, or the processor does not have what the plan needs
   */
  constructor(plan: IntelRdtPlan, root: string | null = findResctrl()) {
    if (root === null) throw new Error("intelRdt is specified in config, but Intel RDT is not enabled");
    if (plan.needs.l3Cache && !exists(join(root, "info/L3"))) {
      throw new Error("intelRdt.l3CacheSchema is specified in config, but Intel RDT/CAT is not enabled");
    }
    if (plan.needs.memoryBandwidth && !exists(join(root, "info/MB"))) {
      throw new Error("intelRdt.memBwSchema is specified in config, but Intel RDT/MBA is not enabled");
    }
    this.#plan = plan;
    this.#root = root;
  }

  /** The directory that {@link create} will make for this container alone: to be removed with it. `null` for none. */
  get removable(): string | null {
    const { own, group, monitoring } = this.#plan;
    const path = own ? group : monitoring;
    if (path === null) return null;
    const directory = join(this.#root, path);
    return exists(directory) ? null : directory;
  }

  /**
   * Makes the group, puts the container's init in it and writes its schemata.
   * @throws {Error} with the kernel's own diagnosis, if it gives one
   */
  create(pid: number): void {
    const directory = join(this.#root, this.#plan.group);
    if (this.#plan.mustExist && !exists(directory)) {
      throw new Error(
        `clos dir not accessible (must be pre-created when schemata, l3CacheSchema and memBwSchema are empty): ${directory}`,
      );
    }
    this.#diagnosed(() => {
      mkdirIfMissing(directory);
      this.join(pid);
      if (this.#plan.monitoring !== null) {
        const monitoring = join(this.#root, this.#plan.monitoring);
        mkdirIfMissing(monitoring);
        addTask(monitoring, pid);
      }
      // In one write: resctrl takes all lines or none.
      const schemata = this.#plan.schemata.map((line) => `${line}\n`).join("");
      if (schemata !== "") writeFile(join(directory, "schemata"), schemata);
    });
  }

  /** Puts another process in the group. A group that has been removed meanwhile is none of its business. */
  join(pid: number): void {
    const directory = join(this.#root, this.#plan.group);
    if (exists(directory)) addTask(directory, pid);
  }

  #diagnosed(action: () => void): void {
    try {
      action();
    } catch (error) {
      throw new Error(`${(error as Error).message}${this.#lastStatus()}`);
    }
  }

  #lastStatus(): string {
    try {
      return `, last_cmd_status: ${readText(join(this.#root, "info/last_cmd_status")).trim()}`;
    } catch {
      return "";
    }
  }
}

function mkdirIfMissing(directory: string): void {
  try {
    mkdir(directory, 0o755);
  } catch (error) {
    if (!hasErrno(error, "EEXIST")) throw error;
  }
}

function addTask(directory: string, pid: number): void {
  try {
    writeFile(join(directory, "tasks"), String(pid));
  } catch (error) {
    throw new Error(`intelrdt: unable to add pid ${pid}: ${(error as Error).message}`);
  }
}
