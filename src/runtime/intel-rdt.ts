/** Puts the container's processes in their class of service. */

import type { IntelRdt } from "../config/types.ts";
import { type IntelRdtPlan, planIntelRdt } from "../plan/intel-rdt.ts";
import { hasErrno, orNull } from "../sys/error.ts";
import { exists, mkdir, readDirectory, readText, writeFile } from "../sys/file.ts";
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

  /**
   * Changes the schemata of the group that is there.
   * @returns takes the change back
   * @throws {Error} with the kernel's own diagnosis, if it gives one
   */
  update(): () => void {
    const file = join(this.#root, this.#plan.group, "schemata");
    const resources = this.#plan.schemata.map((line) => line.split(":")[0]);
    const former = readText(file)
      .split("\n")
      .filter((line) => resources.includes(line.trim().split(":")[0]));
    this.#diagnosed(() => writeFile(file, this.#plan.schemata.map((line) => `${line}\n`).join("")));
    return () => writeFile(file, former.map((line) => `${line.trim()}\n`).join(""));
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

/**
 * What `events` says of a container's class of service, in runc's words; nothing without one.
 * @see linux/Documentation/arch/x86/resctrl.rst
 */
export function intelRdtStats(intelRdt: IntelRdt | undefined, id: string): Record<string, unknown> {
  const root = intelRdt === undefined ? null : findResctrl();
  const plan = planIntelRdt(intelRdt, id);
  if (root === null || plan === null) return {};
  const found: Record<string, unknown> = {};
  const add = (directory: string, suffix: string) => {
    const text = orNull(() => readText(join(directory, "schemata"))) ?? "";
    for (const line of text.split("\n").map((words) => words.trim())) {
      if (line.startsWith("L3:")) found[`l3_cache_schema${suffix}`] = line;
      if (line.startsWith("MB:")) found[`mem_bw_schema${suffix}`] = line;
    }
  };
  add(root, "_root");
  add(join(root, plan.group), "");
  if (plan.monitoring === null) return found;
  const data = join(root, plan.monitoring, "mon_data");
  const domains = orNull(() => readDirectory(data)) ?? [];
  const value = (domain: string, file: string) => Number(orNull(() => readText(join(data, domain, file))) ?? 0);
  const names = domains.map(({ name }) => String(name)).filter((name) => name.startsWith("mon_L3_"));
  found["mbm_stats"] = names.map((name) => ({
    mbm_total_bytes: value(name, "mbm_total_bytes"),
    mbm_local_bytes: value(name, "mbm_local_bytes"),
  }));
  found["cmt_stats"] = names.map((name) => ({ llc_occupancy: value(name, "llc_occupancy") }));
  return found;
}
