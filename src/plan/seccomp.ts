/** When the filter of system calls is loaded, and how. What is in it is `seccomp/filter-plan.ts`. */
import { rawSeccompFilter, seccompReceiver } from "../config/annotations.ts";
import type { Process, Seccomp, Spec } from "../config/types.ts";
import type { Describers, OfKind, StepBase } from "./step.ts";

/** A flag that a filter is loaded with, by the end of its name in config.json. */
export type FilterFlag = "LOG" | "SPEC_ALLOW" | "WAIT_KILLABLE_RECV";

export type SeccompStep =
  /** Where it was not kept from before, another process builds it meanwhile. */
  | (StepBase & { kind: "take-seccomp-filter" })
  | (StepBase & {
      kind: "load-seccomp-filter";
      flags: FilterFlag[];
      /** Whether a rule notifies, so that the parent hands a listener to somebody. */
      listens: boolean;
    });

/** The places of the steps: either the first is empty, or the others are. */
export interface SeccompPlan {
  /**
   * Without no_new_privs loading takes CAP_SYS_ADMIN, so it comes before capabilities are dropped, and the filter has to allow how the process
   * becomes its user.
   */
  early: SeccompStep[];
  /** Before whatever needs calls that the filter may not allow is done for the last time. */
  taken: SeccompStep[];
  /** With it as late as can be while the parent listens: the fewer calls of our own the filter has to allow. */
  late: SeccompStep[];
}

/** Plans the step, where there is a filter. @param process what is executed, `exec` or the container's own */
export function planSeccomp(spec: Pick<Spec, "linux" | "annotations">, process: Process): SeccompPlan {
  const seccomp = spec.linux?.seccomp;
  if (seccomp === undefined && rawSeccompFilter(spec) === undefined) return { early: [], taken: [], late: [] };
  const pointer = "/linux/seccomp";
  const take: SeccompStep = { kind: "take-seccomp-filter", pointer };
  const load: SeccompStep = { kind: "load-seccomp-filter", pointer, ...planLoading(seccomp) };
  return process.noNewPrivileges
    ? { early: [], taken: [take], late: [load] }
    : { early: [take, load], taken: [], late: [] };
}

/** How the filter of a profile is loaded. */
export function planLoading(
  seccomp: Seccomp | undefined,
): Pick<OfKind<SeccompStep, "load-seccomp-filter">, "flags" | "listens"> {
  const listens = seccomp?.syscalls?.some(({ action }) => action === "SCMP_ACT_NOTIFY") ?? false;
  // Said nothing, as in runc: programs that do not ask for it need not pay for the mitigation.
  return { flags: filterFlags(seccomp?.flags ?? ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"], listens), listens };
}

/** TSYNC is for processes of several threads, and the init has one; a kernel takes WAIT_KILLABLE_RECV with a listener only. */
function filterFlags(given: readonly string[], listens: boolean): FilterFlag[] {
  const names = given.map((flag) => flag.replace("SECCOMP_FILTER_FLAG_", ""));
  const known: readonly FilterFlag[] = ["LOG", "SPEC_ALLOW", "WAIT_KILLABLE_RECV"];
  return known.filter((flag) => names.includes(flag) && (flag !== "WAIT_KILLABLE_RECV" || listens));
}

/** Path of the socket that gets the listener. */
export function listenerPath(spec: Pick<Spec, "linux" | "annotations">): string | undefined {
  return spec.linux?.seccomp?.listenerPath || seccompReceiver(spec);
}

export const describeSeccomp: Describers<SeccompStep> = {
  "take-seccomp-filter": () => "have the filter of system calls, which may still be built",
  "load-seccomp-filter": ({ flags, listens }) =>
    `load the filter of system calls${flags.length > 0 ? ` [${flags.join(" ")}]` : ""}` +
    `${listens ? ", and have the parent hand on its listener" : ""}`,
};
