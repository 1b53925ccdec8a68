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
  isInBoundingSet,
  raiseAmbient,
  setCapabilities,
} from "../sys/capability.ts";
import { hasErrno, type SyscallError } from "../sys/error.ts";
import type { InitContext } from "./context.ts";

/** Drops capabilities from the bounding set, as far as this process may. */
export function dropBoundingSet(names: readonly string[]): void {
  dropBounding(names.map(numberOf));
}

/**
 * Sets all but the bounding set. What this process has not itself it cannot grant: that is warned of, once for all sets.
 * @throws {SyscallError} `capset`: EPERM when the sets contradict each other
 * @see runtime-spec, config.md, "Linux Process", `capabilities`
 */
export function applyCapabilities(step: OfKind<CapabilityStep, "set-capabilities">, { channel }: InitContext): void {
  const had = getCapabilities().permitted;
  const lacking = new Set(step.bounding.filter((name) => !has(had, name) && !isInBoundingSet(numberOf(name))));
  const wanted = {
    effective: maskOf(step.effective),
    permitted: maskOf(step.permitted),
    inheritable: maskOf(step.inheritable),
  };
  try {
    setCapabilities(wanted);
  } catch (error) {
    const refused = capabilityNames().filter(
      (name) => !has(had, name) && has(wanted.permitted | wanted.inheritable, name),
    );
    if (!hasErrno(error, "EPERM")) throw error;
    if (refused.length === 0)
      throw step.warning === null ? error : new Error(`${(error as Error).message} (${step.warning})`);
    for (const name of refused) lacking.add(name);
    setCapabilities({
      effective: wanted.effective & had,
      permitted: wanted.permitted & had,
      inheritable: wanted.inheritable & had,
    });
  }
  const news = [...lacking].filter((name) => !step.told.includes(name));
  if (news.length > 0) {
    const message = `can't grant capabilities that tsrunc itself has not: ${news.join(", ")}`;
    channel.send({ type: "warning", message });
  }
  try {
    clearAmbient();
  } catch (error) {
    if (!hasErrno(error, "EINVAL")) throw error; // Linux before 4.3 has no ambient set
  }
  const failures: { name: string; failure: SyscallError }[] = [];
  for (const name of step.ambient) {
    const failure = lacking.has(name) ? null : raiseAmbient(numberOf(name));
    if (failure !== null && !step.told.includes(name)) failures.push({ name, failure });
  }
  // One warning for all: Buildah asks for eleven at each RUN, and its user sees what we say.
  const [first, ...others] = failures;
  if (first === undefined) return;
  const nor = others.length === 0 ? "" : ` (nor ${others.map(({ name }) => name).join(", ")})`;
  channel.send({
    type: "warning",
    message: `can't raise ambient capability ${first.name}: ${first.failure.message}${nor}`,
  });
}

function has(mask: bigint, name: string): boolean {
  return ((mask >> BigInt(numberOf(name))) & 1n) === 1n;
}

function maskOf(names: readonly string[]): bigint {
  return capabilityMask(names.map(numberOf));
}

/** The plan holds known names only. */
function numberOf(name: string): number {
  return capabilityNumber(name) as number;
}
