/** Resource limits: from `linux.resources` to a list of writes, and the writing. */
import type { Device, Integer64, Resources } from "../config/types.ts";
import type { Errno } from "../sys/errno.ts";
import { hasErrno } from "../sys/error.ts";
import type { DeviceFilter } from "./devices.ts";
import { planDevices } from "./devices.ts";
import type { CgroupDriver } from "./driver.ts";

/** A value written to a file of the cgroup. */
export interface WriteStep {
  kind: "write";
  /** The hierarchy to write in, on v1; on v2 the controller that must be enabled. */
  controller: string;
  file: string;
  value: string;
  /** Errors that mean nothing here: the file of an optional feature, or a value that fits only after the next write. */
  tolerate?: Errno[];
  /** What to write when there is no such file. */
  otherwise?: { file: string; value: string };
}

/** One thing to do to a cgroup. */
export type ResourceStep =
  | WriteStep
  /** Fails when the memory in use is already over a limit about to be set. */
  | { kind: "require-usage-below"; controller: "memory"; file: string; limit: Integer64; what: string }
  | { kind: "devices"; filter: DeviceFilter };

/** How {@link planResources} plans. */
export interface ResourceOptions {
  /** `linux.devices`. */
  devices?: readonly Device[];
  /** Leave the devices as they are: in a user namespace, where the kernel lets nobody restrict them, and at an update. */
  skipDevices?: boolean;
}

/**
 * What to write for a container's resources, in order. Pure.
 * @throws {Error} for values that contradict each other or that this version of cgroups cannot express
 */
export function planResources(
  resources: Resources,
  driver: Pick<CgroupDriver, "planWrites">,
  options: ResourceOptions,
): ResourceStep[] {
  const writes = limits(resources) ? driver.planWrites(resources) : [];
  if (options.skipDevices === true) return writes;
  return [{ kind: "devices", filter: planDevices(resources.devices, options.devices) }, ...writes];
}

/** Whether there is more than rules for devices. */
function limits({ devices: _, ...others }: Resources): boolean {
  for (const name in others) if (others[name as keyof typeof others] !== undefined) return true;
  return false;
}

/** Carries out a write: `write` does it, in the cgroup of the step's controller. @throws what `write` throws */
export function writeResource(step: WriteStep, write: (file: string, value: string) => void): void {
  try {
    write(step.file, step.value);
  } catch (error) {
    if (step.otherwise !== undefined && hasErrno(error, "ENOENT")) {
      write(step.otherwise.file, step.otherwise.value);
    } else if (!hasErrno(error, ...(step.tolerate ?? []))) {
      throw error;
    }
  }
}
