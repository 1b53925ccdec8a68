/** Sets the capabilities of this process. */
import type { CapabilityStep } from "../plan/capabilities.ts";
import type { OfKind } from "../plan/step.ts";
import {
  capabilityMask,
  capabilityNumber,
  clearAmbient,
  dropBounding,
  raiseAmbient,
  setCapabilities,
} from "../sys/capability.ts";
import { hasErrno } from "../sys/error.ts";
import type { InitContext } from "./context.ts";

/** Drops capabilities from the bounding set, as far as this process may. */
export function dropBoundingSet(names: readonly string[]): void {
  for (const name of names) dropBounding(numberOf(name));
}

/** Sets all but the bounding set. Ambient capabilities that cannot be had are warned of, as runc does. */
export function applyCapabilities(step: OfKind<CapabilityStep, "set-capabilities">, { channel }: InitContext): void {
  setCapabilities({
    effective: maskOf(step.effective),
    permitted: maskOf(step.permitted),
    inheritable: maskOf(step.inheritable),
  });
  try {
    clearAmbient();
  } catch (error) {
    if (!hasErrno(error, "EINVAL")) throw error; // Linux before 4.3 has no ambient set
  }
  for (const name of step.ambient) {
    const failure = raiseAmbient(numberOf(name));
    if (failure !== null) {
      const message = `can't raise ambient capability ${name}: ${failure.message}`;
      channel.send({ type: "warning", message });
    }
  }
}

function maskOf(names: readonly string[]): bigint {
  return capabilityMask(names.map(numberOf));
}

/** The plan holds known names only. */
function numberOf(name: string): number {
  return capabilityNumber(name) as number;
}
