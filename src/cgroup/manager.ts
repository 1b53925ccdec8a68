/** A container's cgroup, in all hierarchies at once, whichever version they have. */

import type { Device, Resources } from "../config/types.ts";
import { removeCgroup } from "../sys/cgroupfs.ts";
import { hasErrno, orNull } from "../sys/error.ts";
import { type Fd, O, open } from "../sys/fd.ts";
import { exists } from "../sys/file.ts";
import { applyStep } from "./apply.ts";
import { type CgroupDriver, driverOf } from "./driver.ts";
import type { CgroupDescriptors, Entrance } from "./entrance.ts";
import { freeze, isFrozen, thaw, thawTree, whileFrozen } from "./freezer.ts";
import { type ExecTarget, joinAll, openEntrance, openTasks } from "./join.ts";
import { killAll } from "./kill.ts";
import { OomWatch, oomKills } from "./oom.ts";
import type { CgroupHierarchy, CgroupLocation } from "./plan.ts";
import { planResources } from "./resources.ts";
import { needsControllers } from "./resources-v2.ts";
import { readStats } from "./stats.ts";
import type { Stats } from "./stats-types.ts";
import { ContainerUnit } from "./systemd/container-unit.ts";
import { roundedQuota } from "./systemd/properties.ts";
import { processesIn, removeTrees, waitUntilEmpty } from "./tree.ts";
import { resourcesToSet, setReversibly, withUnrestored } from "./update.ts";

const newContainer: ExecTarget = { sub: new Map(), initPid: null };

/** Opens the cgroup that a location names; whether it exists is another matter. */
export function openCgroup(location: CgroupLocation): Cgroup {
  return new Cgroup(location);
}

/** A container's cgroup. Without hierarchies (the driver `disabled`, or no right to make any) most of it does nothing. */
export class Cgroup {
  #location: CgroupLocation;
  #driver: CgroupDriver;
  /** Of a cgroup that is systemd's. */
  readonly #unit: ContainerUnit | null;
  #oomKills = 0;

  constructor(location: CgroupLocation) {
    this.#location = location;
    this.#driver = driverOf(location);
    this.#unit = location.driver === "systemd" ? new ContainerUnit(location) : null;
  }

  /** Where it is. */
  get location(): CgroupLocation {
    return this.#location;
  }

  /**
   * Makes the cgroup, and sets what must be set before a process can join. What it made is gone again when it throws.
   * Hierarchies that a runtime without privilege cannot write to are left out of its location.
   * @param only the version of the hierarchies to make it in; both, if not given
   * @throws {Error} "unable to apply cgroup configuration", with the failed call as the cause
   */
  create(resources: Resources = {}, only?: 1 | 2): void {
    if (this.#location.driver === "disabled") return;
    const made: string[] = [];
    try {
      this.#unit?.start();
      const hierarchies = this.#location.hierarchies.filter(
        (hierarchy) => (only ?? hierarchy.version) !== hierarchy.version || this.#makeIn(hierarchy, resources, made),
      );
      this.#location = { ...this.#location, hierarchies };
      this.#driver = driverOf(this.#location);
    } catch (error) {
      this.release();
      for (const directory of made.reverse()) removeCgroup(directory);
      throw new Error(`unable to apply cgroup configuration: ${(error as Error).message}`, { cause: error });
    }
  }

  /** To be called when the container's init is in the cgroup, with its limits, or there will be none: nothing else keeps it any more. */
  release(): void {
    this.#unit?.release();
  }

  /**
   * Sets limits.
   * @param options `linux.devices`, and `skipDevices` as `planResources` takes it
   * @throws {Error} when a limit cannot be set
   */
  setResources(resources: Resources, options: { devices?: readonly Device[]; skipDevices?: boolean } = {}): void {
    const unit = this.#unit;
    if (unit === null) return this.#write(resources, options);
    const { memory } = resources;
    if (memory !== undefined) {
      // Where a limit is too low for what is there, the kernel kills while it is written, and systemd removes a cgroup with its last
      // process. So it is not left to systemd to write it first: the kills are counted while there is a count.
      this.#write({ memory }, { skipDevices: true });
      if (this.oomKills() > 0) throw new Error("a process was killed when its memory limit was set");
    }
    this.#unseen(() => unit.setResources(resources, options));
    this.#write(roundedQuota(resources), options);
  }

  /**
   * Changes the limits of a cgroup that has processes, all or none.
   * @param former what was set before
   * @returns takes the change back, see `setReversibly`
   * @throws {Error} when a limit cannot be set; the former ones are set again then
   */
  updateResources(former: Resources, change: Resources): () => string[] {
    const toSet = resourcesToSet(former, change);
    const unit = this.#unit;
    if (unit === null) return setReversibly(toSet, this.#driver);
    // Files first: what they say before systemd writes to them is what they are to say again.
    const files = roundedQuota(toSet);
    const undoFiles = setReversibly(files, this.#driver);
    let undo = undoFiles;
    try {
      const undoUnit = this.#unseen(() => unit.updateResources(toSet));
      // systemd's come first, for it writes more files of a controller than those it was asked to.
      undo = () => [...this.#undoUnseen(undoUnit), ...undoFiles()];
      this.#write(files, { skipDevices: true });
      return undo;
    } catch (error) {
      throw withUnrestored(error, undo());
    }
  }

  /** Directories by controller, `""` for v2: as runc's state.json has them under `cgroup_paths`. */
  paths(): Record<string, string> {
    const named = this.#location.hierarchies.flatMap(({ version, controllers, directory }) =>
      version === 2 ? [["", directory]] : controllers.map((name) => [name, directory]),
    );
    return Object.fromEntries(named);
  }

  exists(): boolean {
    return this.#main !== undefined && exists(this.#main.directory);
  }

  /**
   * Makes sure that no other container lives here.
   * @throws {Error} when there are processes, or it is frozen
   */
  assertUnused(): void {
    if (this.exists()) {
      const { length } = this.pids({ recursive: true });
      if (length > 0) throw new Error(`container's cgroup is not empty: ${length} process(es) found`);
    }
    const freezer = this.#driver.hierarchyOf("freezer");
    if (freezer !== undefined && exists(freezer.directory) && isFrozen(freezer)) {
      throw new Error("container's cgroup unexpectedly frozen");
    }
  }

  /**
   * Opens the v2 cgroup for a process that is about to be forked.
   * @param exec for another process of a running container
   * @throws {Error} "error adding pid"
   */
  entrance(exec: ExecTarget = newContainer): Entrance {
    return openEntrance(this.#joinable, exec);
  }

  /**
   * Opens the v1 cgroups for a forked process, which is to enter by itself.
   * @param exec as for {@link entrance}
   * @throws {Error} "error adding pid"
   */
  openTasks(exec: ExecTarget = newContainer): CgroupDescriptors {
    return openTasks(this.#joinable, exec);
  }

  /**
   * Moves a running process into the cgroup. {@link entrance} and {@link openTasks} cost less.
   * @throws {Error} "error adding pid"
   */
  join(pid: number, exec: ExecTarget = newContainer): void {
    joinAll(this.#joinable, pid, exec);
  }

  /** Processes of the cgroup, and with `recursive` of those below it. */
  pids(options: { recursive: boolean }): number[] {
    return this.#main === undefined ? [] : processesIn(this.#main.directory, options);
  }

  /**
   * Sends a signal to every process of the cgroup and those below it. If it was frozen, it is thawed.
   * @returns false when there is no such cgroup
   */
  killAll(signal: number): boolean {
    if (!this.exists()) return false;
    killAll(signal, { driver: this.#driver, pids: () => this.#pidsToKill() });
    return true;
  }

  /** On v1, with systemd's unit, in any of the hierarchies: in each it is the unit's alone, which does not end before its own is empty. */
  #pidsToKill(): number[] {
    if (this.#unit === null || this.#v2 === this.#main) return this.pids({ recursive: true });
    const directories = this.#location.hierarchies.map(({ directory }) => directory);
    return [...new Set(directories.flatMap((directory) => processesIn(directory, { recursive: true })))];
  }

  /** @throws {Error} when there is no freezer, or it does not freeze in time */
  freeze(): void {
    freeze(this.#freezer());
  }

  /** @throws {Error} when there is no freezer */
  thaw(): void {
    thaw(this.#freezer());
  }

  /** Thaws it and all below it, so that those end that were killed. Without a freezer there is nothing to thaw. */
  thawTree(): void {
    const freezer = this.#driver.hierarchyOf("freezer");
    if (freezer !== undefined && exists(freezer.directory)) thawTree(freezer);
  }

  /** Whether it is frozen itself; a frozen ancestor does not count. */
  isFrozen(): boolean {
    const freezer = this.#driver.hierarchyOf("freezer");
    return freezer !== undefined && isFrozen(freezer);
  }

  /** How often the kernel killed here for want of memory. What was counted once counts also when the cgroup is gone. */
  oomKills(): number {
    this.#oomKills = Math.max(this.#oomKills, oomKills(this.#driver.hierarchyOf("memory")));
    return this.#oomKills;
  }

  /** Watches for them; `null` where there is no memory cgroup, or the kernel does not tell. */
  watchOom(): OomWatch | null {
    const memory = this.#driver.hierarchyOf("memory");
    return memory === undefined ? null : orNull(() => OomWatch.open(memory));
  }

  /** What its processes have used. */
  stats(): Stats {
    return readStats(this.#driver);
  }

  /**
   * Removes the cgroup and those below it. Removing what is not there succeeds. systemd is asked to end its unit first: not while there
   * are processes, which it would kill, whosever they are.
   * @throws {Error} "Failed to remove paths" when processes are left
   */
  remove(): void {
    const directories = this.#location.hierarchies.map(({ directory }) => directory);
    const busy = this.#unit === null ? [] : waitUntilEmpty(directories);
    if (busy.length === 0) this.#unit?.stop();
    const failures = busy.length > 0 ? busy : removeTrees(directories);
    if (failures.length > 0) {
      throw new Error(`Failed to remove paths: ${failures.map(({ message }) => message).join("; ")}`);
    }
  }

  /** The v2 directory, for `CLONE_INTO_CGROUP` and the like; `null` without a v2 hierarchy. @throws {SyscallError} */
  directoryFd(): Fd | null {
    const v2 = this.#v2;
    return v2 === undefined ? null : open(v2.directory, O.RDONLY | O.DIRECTORY);
  }

  get #joinable() {
    const isOptional = (hierarchy: CgroupHierarchy) => this.#driver.isOptional(hierarchy);
    const unit = this.#unit;
    // On v1 nobody but root has cgroups.
    const asks = unit !== null && this.#v2 === this.#main;
    const attach = asks ? (pid: number, path: string) => unit.attach(pid, path) : null;
    return { hierarchies: this.#location.hierarchies, isOptional, attach };
  }

  get #v2(): CgroupHierarchy | undefined {
    return this.#location.hierarchies.find(({ version }) => version === 2);
  }

  /** The hierarchy that is asked what lives in the cgroup. */
  get #main(): CgroupHierarchy | undefined {
    return this.#driver.hierarchyOf("devices") ?? this.#location.hierarchies[0];
  }

  #freezer(): CgroupHierarchy {
    const freezer = this.#driver.hierarchyOf("freezer");
    if (freezer === undefined) throw new Error("cannot toggle freezer: cgroups not configured for container");
    return freezer;
  }

  #write(resources: Resources, options: { devices?: readonly Device[]; skipDevices?: boolean }): void {
    for (const step of planResources(resources, this.#driver, options)) applyStep(step, this.#driver);
  }

  /** On v1 systemd sets all device rules anew with whatever is changed, and denies everything first: nothing may run in that moment. */
  #unseen<T>(change: () => T): T {
    const freezer =
      this.#location.driver === "systemd" && this.#location.mode === "v1"
        ? this.#driver.hierarchyOf("freezer")
        : undefined;
    return freezer === undefined ? change() : whileFrozen(freezer, change);
  }

  /** An undo throws nothing. */
  #undoUnseen(undo: () => string[]): string[] {
    try {
      return this.#unseen(undo);
    } catch (error) {
      return [`the unit's properties (${(error as Error).message})`];
    }
  }

  /** @returns false when the hierarchy is to be left out */
  #makeIn(hierarchy: CgroupHierarchy, resources: Resources, made: string[]): boolean {
    try {
      this.#driver.make(hierarchy, resources, made);
      return true;
    } catch (error) {
      if (!this.#driver.isOptional(hierarchy) || !hasErrno(error, "EPERM", "EACCES", "EROFS")) throw error;
      if (this.#driver.hierarchyOf("memory") !== hierarchy || !needsControllers(resources)) return false;
      const rule = "rootless needs no limits + no cgrouppath when no permission is granted for cgroups";
      throw new Error(`${rule}: ${(error as Error).message}`, { cause: error });
    }
  }
}
