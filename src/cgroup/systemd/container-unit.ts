/** A container's unit, through its life. */

import type { Device, Resources } from "../../config/types.ts";
import type { SystemdLocation } from "../../plan/cgroups.ts";
import { hasErrno } from "../../sys/error.ts";
import { readText, writeFile } from "../../sys/file.ts";
import { poll } from "../../sys/poll.ts";
import { exit, fork, killChild, prctl } from "../../sys/process.ts";
import { planDevices } from "../devices.ts";
import { readOwnCgroups } from "../layout.ts";
import { annotationProperties } from "./annotations.ts";
import { Systemd } from "./manager.ts";
import { deviceProperties, type Property, resourceProperties } from "./properties.ts";
import { unitPath } from "./unit.ts";

/** The parts of a container's cgroup that systemd has a hand in. */
export class ContainerUnit {
  readonly #location: SystemdLocation;
  #placeholder: number | null = null;
  #started = false;

  constructor(location: SystemdLocation) {
    this.#location = location;
  }

  /**
   * Starts the unit, once. A scope cannot be without processes, and its cgroup is there only after it has started: so it starts with a
   * process of ours that does nothing, the container's init is born in it as in any other cgroup, and then that goes ({@link release}).
   * @throws {Error} also when systemd says that it has started it, and has not
   */
  start(): void {
    if (this.#started) return;
    this.#started = true;
    const { unit, mode } = this.#location;
    using systemd = Systemd.connect(unit.manager);
    if (unit.name.endsWith(".slice"))
      return systemd.start(unit.name, this.#properties([["Wants", "as", [unit.slice]]]));
    const pid = startPlaceholder();
    this.#placeholder = pid;
    try {
      systemd.start(
        unit.name,
        this.#properties([
          ["Slice", "s", unit.slice],
          ["Delegate", "b", true],
          ["PIDs", "au", [pid]],
        ]),
      );
      const path = readOwnCgroups(pid).get(mode === "v1" ? "name=systemd" : "") ?? "";
      if (!path.endsWith(unitPath(unit)))
        throw new Error(`systemd has put process ${pid} in ${path}, not in ${unit.name}`);
    } catch (error) {
      this.release();
      throw new Error(`unable to start unit ${unit.name}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Ends the process that kept the unit alive: another one is in it by now. */
  release(): void {
    if (this.#placeholder !== null) killChild(this.#placeholder);
    this.#placeholder = null;
  }

  /** @throws {Error} when systemd refuses one */
  setResources(
    resources: Resources,
    { devices, skipDevices = false }: { devices?: readonly Device[]; skipDevices?: boolean },
  ): void {
    const { unit, mode } = this.#location;
    using systemd = Systemd.connect(unit.manager);
    const limits = resourceProperties(resources, mode === "v1" ? 1 : 2, systemd.version());
    const policy = skipDevices ? [] : deviceProperties(planDevices(resources.devices, devices), driverNames());
    systemd.setProperties(unit.name, [...policy, ...limits]);
  }

  /**
   * Changes limits, all or none.
   * @returns takes the change back: each property is what it was, also where that was no limit. It throws nothing, but returns what could
   * not be restored
   * @throws {Error} when systemd refuses one
   */
  updateResources(resources: Resources): () => string[] {
    const { unit, mode } = this.#location;
    using systemd = Systemd.connect(unit.manager);
    const limits = resourceProperties(resources, mode === "v1" ? 1 : 2, systemd.version());
    const names = limits.map(([name]) => name);
    const former = names.length === 0 ? [] : systemd.properties(unit.name, names);
    systemd.setProperties(unit.name, limits);
    return () => {
      try {
        using again = Systemd.connect(unit.manager);
        again.setProperties(unit.name, former);
        return [];
      } catch (error) {
        return [`${names.join(", ")} of ${unit.name} (${(error as Error).message})`];
      }
    };
  }

  /**
   * Moves a process to the unit's cgroup or one below it.
   * @param directory of that cgroup
   * @throws {Error} when systemd does not, or the cgroup is none of the unit's
   */
  attach(pid: number, directory: string): void {
    const { unit, hierarchies } = this.#location;
    const own = hierarchies.find(({ version }) => version === 2)?.directory ?? "";
    if (!`${directory}/`.startsWith(`${own}/`)) throw new Error(`${directory} is no cgroup of ${unit.name}`);
    using systemd = Systemd.connect(unit.manager);
    systemd.attach(unit.name, directory.slice(own.length), [pid]);
  }

  /** Stops the unit, and forgets it if it has failed. What is in it is killed. @throws {Error} */
  stop(): void {
    const { unit } = this.#location;
    using systemd = Systemd.connect(unit.manager);
    systemd.stop(unit.name);
  }

  #properties(kind: readonly Property[]): Property[] {
    const { id, mode, properties } = this.#location;
    const accounting = [
      "MemoryAccounting",
      "CPUAccounting",
      mode === "v1" ? "BlockIOAccounting" : "IOAccounting",
      "TasksAccounting",
    ];
    return [
      ["Description", "s", `tsrunc container ${id}`],
      ...kind,
      ["DefaultDependencies", "b", false],
      ...accounting.map((name): Property => [name, "b", true]),
      ...annotationProperties(properties),
    ];
  }
}

/**
 * A child that waits for its end, which comes with ours at the latest. Where we may, it is nothing for the kernel to kill for want of
 * memory: with its last process systemd removes the cgroup, and with that the count of such kills.
 */
function startPlaceholder(): number {
  const pid = fork();
  if (pid !== 0) return pid;
  const SIGKILL = 9;
  prctl("SET_PDEATHSIG", SIGKILL);
  try {
    writeFile("/proc/self/oom_score_adj", "-1000");
  } catch {}
  for (;;) {
    try {
      poll([], null);
    } catch {
      exit(1);
    }
  }
}

/** Names of device drivers by type and major number, as `/proc/devices` has them; read when they are asked for. */
function driverNames(): (type: "b" | "c", major: number) => string | null {
  let names: Map<string, string> | undefined;
  return (type, major) => {
    names ??= parseProcDevices(procDevices());
    return names.get(`${type} ${major}`) ?? null;
  };
}

function procDevices(): string {
  try {
    return readText("/proc/devices");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "EACCES")) return "";
    throw error;
  }
}

/** @param text of `/proc/devices` */
export function parseProcDevices(text: string): Map<string, string> {
  const names = new Map<string, string>();
  let type = "c";
  for (const line of text.split("\n")) {
    if (line.startsWith("Block devices")) type = "b";
    const [, major, name] = /^\s*(\d+) (\S+)$/.exec(line) ?? [];
    if (major !== undefined && name !== undefined && !names.has(`${type} ${major}`))
      names.set(`${type} ${major}`, name);
  }
  return names;
}
