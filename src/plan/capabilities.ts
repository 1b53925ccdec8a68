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
      /** Nothing is said of these: the container was warned of what it could not have when it was made. */
      told: string[];
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
 * @param container what the container itself asks for: `exec` repeats no warning of that, since a caller reads it as the process's own words
 */
export function planCapabilities(
  capabilities: Capabilities,
  last: number,
  container: Capabilities = {},
): CapabilityPlan {
  const pointer = "/process/capabilities";
  const told = [...new Set(Object.values(container).flat())];
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
  const news = [...unknown].filter((name) => !told.includes(name)).sort();
  const warning = news.length === 0 ? null : `ignoring unknown or unavailable capabilities: [${news.join(" ")}]`;
  return {
    warning,
    bounding: [{ kind: "drop-bounding", pointer: `${pointer}/bounding`, capabilities: dropped }],
    sets: [{ kind: "set-capabilities", pointer, ...sets, warning, told }],
  };
}
