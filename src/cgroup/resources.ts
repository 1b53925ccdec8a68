/** Resource limits: from `linux.resources` to a list of writes, and the writing. */
import type { Device, Integer64, Resources } from "../config/types.ts";
import type { Errno } from "../sys/errno.ts";
import { hasErrno } from "../sys/error.ts";
import type { DeviceFilter } from "./devices.ts";
import { planDevices } from "./devices.ts";
import { planV1Writes } from "./resources-v1.ts";
import { planV2Writes } from "./resources-v2.ts";

/** One thing to do to a cgroup. */
export type ResourceStep =
  | {
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
  /** Fails when the memory in use is already over a limit about to be set. */
  | { kind: "require-usage-below"; controller: "memory"; file: string; limit: Integer64; what: string }
  | { kind: "devices"; filter: DeviceFilter };

/** How {@link planResources} plans. */
export interface ResourceOptions {
  version: 1 | 2;
  /** `linux.devices`. */
  devices?: readonly Device[];
  /** Leave the devices as they are: in a user namespace, where the kernel lets nobody restrict them, and at an update. */
  skipDevices?: boolean;
}

/**
 * What to write for a container's resources, in order. Pure.
 * @throws {Error} for values that contradict each other or that this version of cgroups cannot express
 */
export function planResources(resources: Resources, options: ResourceOptions): ResourceStep[] {
  const writes = !limits(resources) ? [] : options.version === 1 ? planV1Writes(resources) : planV2Writes(resources);
  if (options.skipDevices === true) return writes;
  return [{ kind: "devices", filter: planDevices(resources.devices, options.devices) }, ...writes];
}

/** Whether there is more than rules for devices. */
function limits({ devices: _, ...others }: Resources): boolean {
  for (const name in others) if (others[name as keyof typeof others] !== undefined) return true;
  return false;
}

/** Whether anything is asked for that needs a controller, besides the devices. */
export function needsControllers(resources: Resources | undefined): boolean {
  return resources !== undefined && planV2Writes(resources).length > 0;
}

/** Carries out a write: `write` does it, in the cgroup of the step's controller. @throws what `write` throws */
export function writeResource(
  step: Extract<ResourceStep, { kind: "write" }>,
  write: (file: string, value: string) => void,
): void {
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
