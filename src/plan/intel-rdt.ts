/** The container's class of service for caches and memory bandwidth, in the resctrl filesystem. */
import type { IntelRdt } from "../config/types.ts";

export interface IntelRdtPlan {
  /** Directory of the class of service, relative to the resctrl filesystem; `/` is the default class. */
  group: string;
  /** Whether the class is the container's own, to be removed with it. */
  own: boolean;
  /** Whether the class must be there already: named, and without a schema to make it by. */
  mustExist: boolean;
  /** Lines for the `schemata` file, in the order to be written. */
  schemata: string[];
  /** Directory of the container's monitoring group, relative to the resctrl filesystem. */
  monitoring: string | null;
  /** The parts of the kernel's support that the configuration names. */
  needs: { l3Cache: boolean; memoryBandwidth: boolean };
}

/**
 * Plans `linux.intelRdt`.
 * @returns `null` when there is none
 * @throws {Error} `invalid intelRdt.ClosID` for one that is not a single directory
 * @see runtime-spec, config-linux.md, "IntelRdt"
 */
export function planIntelRdt(intelRdt: IntelRdt | undefined, id: string): IntelRdtPlan | null {
  if (intelRdt === undefined) return null;
  const { closID = "", l3CacheSchema = "", memBwSchema = "", enableMonitoring = false } = intelRdt;
  if (closID === "." || closID === ".." || (closID.length > 1 && closID.includes("/"))) {
    throw new Error(`invalid intelRdt.ClosID ${JSON.stringify(closID)}`);
  }
  const schemata = [l3CacheSchema, memBwSchema, ...(intelRdt.schemata ?? [])].filter((line) => line !== "");
  const group = closID || id;
  return {
    group,
    own: closID === "",
    mustExist: closID !== "" && schemata.length === 0,
    schemata,
    monitoring: enableMonitoring ? `${group === "/" ? "" : `${group}/`}mon_groups/${id}` : null,
    needs: { l3Cache: l3CacheSchema !== "", memoryBandwidth: memBwSchema !== "" },
  };
}
