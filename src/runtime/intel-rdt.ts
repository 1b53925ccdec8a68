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
      if (this.#plan.monitoring !== null) mkdirIfMissing(join(this.#root, this.#plan.monitoring));
      this.join(pid);
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

  /** Puts a process in the group, and in its monitoring. What has been removed meanwhile is none of its business. */
  join(pid: number): void {
    const { group, monitoring } = this.#plan;
    // In this order: a task that enters a class is of no monitoring group any more.
    for (const path of [group, ...(monitoring === null ? [] : [monitoring])]) {
      const directory = join(this.#root, path);
      if (exists(directory)) addTask(directory, pid);
    }
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
 * @param root where the resctrl filesystem is mounted
 * @see linux/Documentation/arch/x86/resctrl.rst
 */
export function intelRdtStats(
  intelRdt: IntelRdt | undefined,
  id: string,
  root: string | null = intelRdt === undefined ? null : findResctrl(),
): Record<string, unknown> {
  const plan = planIntelRdt(intelRdt, id);
  if (root === null || plan === null) return {};
  const schemata = linesOf(join(root, plan.group, "schemata"));
  return {
    ...resourceInfo(join(root, "info/L3"), "l3_cache_info", CACHE_INFO),
    ...resourceInfo(join(root, "info/MB"), "mem_bw_info", BANDWIDTH_INFO),
    ...schemaOf(linesOf(join(root, "schemata")), "_root"),
    ...schemaOf(schemata, ""),
    ...(schemata.length > 0 && { schemata }),
    // Without monitoring of its own a container is counted with the others of its class.
    ...monitoringStats(join(root, plan.monitoring ?? plan.group, "mon_data")),
  };
}

/** The lines of a file, without the spaces by which resctrl aligns them; none where it cannot be read. */
function linesOf(path: string): string[] {
  const text = orNull(() => readText(path)) ?? "";
  return text.split("\n").flatMap((line) => line.trim() || []);
}

function schemaOf(lines: readonly string[], suffix: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of lines) {
    if (line.startsWith("L3:")) found[`l3_cache_schema${suffix}`] = line;
    if (line.startsWith("MB:")) found[`mem_bw_schema${suffix}`] = line;
  }
  return found;
}

const CACHE_INFO = ["cbm_mask", "min_cbm_bits", "num_closids"];
const BANDWIDTH_INFO = ["bandwidth_gran", "delay_linear", "min_bandwidth", "num_closids"];

/** What the hardware offers of a resource; a mask is hexadecimal, all else are numbers. */
function resourceInfo(directory: string, name: string, files: readonly string[]): Record<string, unknown> {
  const found = files.flatMap((file) => {
    const [value] = linesOf(join(directory, file));
    return value === undefined ? [] : [[file, file === "cbm_mask" ? value : Number(value)] as const];
  });
  return found.length === 0 ? {} : { [name]: Object.fromEntries(found) };
}

/** What is counted for each cache, as far as the hardware does. */
function monitoringStats(data: string): Record<string, unknown> {
  const domains = (orNull(() => readDirectory(data)) ?? []).map(({ name }) => String(name));
  const counts = (files: readonly string[]) => {
    return domains
      .filter((name) => name.startsWith("mon_L3_"))
      .flatMap((name) => {
        const read = files.flatMap((file) => {
          const [value] = linesOf(join(data, name, file));
          return value === undefined ? [] : [[file, Number(value)] as const];
        });
        return read.length === 0 ? [] : [Object.fromEntries(read)];
      });
  };
  const bandwidth = counts(["mbm_total_bytes", "mbm_local_bytes"]);
  const occupancy = counts(["llc_occupancy"]);
  return {
    ...(bandwidth.length > 0 && { mbm_stats: bandwidth }),
    ...(occupancy.length > 0 && { cmt_stats: occupancy }),
  };
}
