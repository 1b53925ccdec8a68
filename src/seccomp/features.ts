/** What `features` says of seccomp. @see runtime-spec, features-linux.md, "seccomp" */
import type { FeaturesLinux } from "../config/types.ts";
import { findLibseccomp } from "../sys/libseccomp.ts";
import { knowsFilterFlag } from "../sys/seccomp.ts";
import { ACTIONS, ARCHITECTURES, FLAGS, type Flag, OPERATORS } from "./names.ts";

/** Filters are built where libseccomp is installed; without, a profile is refused. */
export function seccompFeatures(): NonNullable<FeaturesLinux["seccomp"]> {
  return {
    enabled: findLibseccomp() !== null,
    actions: Object.keys(ACTIONS).sort(),
    operators: Object.keys(OPERATORS).sort(),
    archs: Object.keys(ARCHITECTURES).sort(),
    knownFlags: Object.keys(FLAGS),
    supportedFlags: (Object.keys(FLAGS) as Flag[]).filter(isSupported),
  };
}

function isSupported(flag: Flag): boolean {
  const name = flag.replace("SECCOMP_FILTER_FLAG_", "") as "TSYNC" | Parameters<typeof knowsFilterFlag>[0];
  // Of one thread the process has its filter in any case.
  return name === "TSYNC" || knowsFilterFlag(name);
}
