/** Sets the capabilities of this process. */
import type { CapabilityStep } from "../plan/capabilities.ts";
import type { OfKind } from "../plan/step.ts";
import {
  capabilityMask,
  capabilityNames,
  capabilityNumber,
  clearAmbient,
  dropBounding,
  getCapabilities,
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
  const wanted = {
    effective: maskOf(step.effective),
    permitted: maskOf(step.permitted),
    inheritable: maskOf(step.inheritable),
  };
  try {
    setCapabilities(wanted);
  } catch (error) {
    if (hasErrno(error, "EPERM")) (error as Error).message += hint(wanted.permitted);
    throw error;
  }
  try {
    clearAmbient();
  } catch (error) {
    if (!hasErrno(error, "EINVAL")) throw error; // Linux before 4.3 has no ambient set
  }
  const failures = step.ambient.flatMap((name) => {
    const failure = raiseAmbient(numberOf(name));
    return failure === null ? [] : [{ name, failure }];
  });
  // One warning for all: Buildah asks for eleven at each RUN, and its user sees what we say.
  const [first, ...others] = failures;
  if (first === undefined) return;
  const nor = others.length === 0 ? "" : ` (nor ${others.map(({ name }) => name).join(", ")})`;
  channel.send({
    type: "warning",
    message: `can't raise ambient capability ${first.name}: ${first.failure.message}${nor}`,
  });
}

/** No one can give what he has not. */
function hint(wanted: bigint): string {
  const { permitted } = getCapabilities();
  const missing = capabilityNames().filter((_, number) => ((wanted & ~permitted) >> BigInt(number)) & 1n);
  return missing.length === 0 ? "" : ` (tsrunc itself has not ${missing.join(", ")})`;
}

function maskOf(names: readonly string[]): bigint {
  return capabilityMask(names.map(numberOf));
}

/** The plan holds known names only. */
function numberOf(name: string): number {
  return capabilityNumber(name) as number;
}
