/** The capability sets of the process: names known to kernel and program are kept, others warned of. */
import type { Capabilities } from "../config/types.ts";
import { capabilityNames, capabilityNumber } from "../sys/capability.ts";
import type { StepBase } from "./step.ts";

export type CapabilityStep =
  /** Takes capabilities out of the bounding set, before the change of user takes the right to do so. */
  | (StepBase & { kind: "drop-bounding"; capabilities: string[] })
  | (StepBase & {
      kind: "set-capabilities";
      /** Set already, as far as it could be. */
      bounding: string[];
      effective: string[];
      permitted: string[];
      inheritable: string[];
      ambient: string[];
      /** What there was to warn of, which may be why the rest is refused. */
      warning: string | null;
    });

/** What {@link planCapabilities} gives. */
export interface CapabilityPlan {
  warning: string | null;
  /** Before the change of user. */
  bounding: CapabilityStep[];
  /** After it. */
  sets: CapabilityStep[];
}

/**
 * Plans the five sets. Those that are not given are empty.
 * @param last the highest capability number of the kernel
 */
export function planCapabilities(capabilities: Capabilities, last: number): CapabilityPlan {
  const pointer = "/process/capabilities";
  const unknown = new Set<string>();
  const known = (names: readonly string[] = []): string[] =>
    names.filter((name) => {
      const number = capabilityNumber(name);
      const isKnown = number !== null && number <= last;
      if (!isKnown) unknown.add(name);
      return isKnown;
    });
  const sets = {
    bounding: known(capabilities.bounding),
    effective: known(capabilities.effective),
    inheritable: known(capabilities.inheritable),
    permitted: known(capabilities.permitted),
    ambient: known(capabilities.ambient),
  };
  const dropped = capabilityNames().filter((name, number) => number <= last && !sets.bounding.includes(name));
  const warning =
    unknown.size === 0 ? null : `ignoring unknown or unavailable capabilities: [${[...unknown].sort().join(" ")}]`;
  return {
    warning,
    bounding: [{ kind: "drop-bounding", pointer: `${pointer}/bounding`, capabilities: dropped }],
    sets: [{ kind: "set-capabilities", pointer, ...sets, warning }],
  };
}
