/** From a profile to what libseccomp is told: pure, so that a filter can be looked at without building it. */
import type { Seccomp } from "../config/types.ts";
import { ACTIONS, type Action, ARCHITECTURES, type Architecture, OPERATORS, type Operator } from "./names.ts";

/** The argument by which the executable is what builds a filter, see `helper.ts`: no command of the command line. */
export const COMPILE_COMMAND = "compile-seccomp-filter";

/** What a filter is made of; plain JSON. */
export interface FilterPlan {
  /** Tokens of the architectures whose calls are filtered, the machine's own first. All others' are killed. */
  architectures: number[];
  /** What is done with a call that no rule matches, data included. */
  defaultAction: number;
  /**
   * Whether calls that are newer than the profile get ENOSYS before any rule: a libc that tries a new call goes on with an older one then, which
   * EPERM, and more so a signal, would keep it from. So does runc.
   */
  newCallsAreMissing: boolean;
  /** In the order of the profile; libseccomp merges them, it does not take the first that matches. */
  rules: FilterRule[];
  /** Every name in the profile, for what is newest in it. */
  names: string[];
  /** Whether a name that nobody knows is an error, as crun's `run.oci.seccomp_fail_unknown_syscall` asks; else it is passed over. */
  failUnknown: boolean;
}

/** Some calls, all by one action where the conditions hold, all of them at once. */
export interface FilterRule {
  /** Of the profile's entries, by which number this comes from. */
  entry: number;
  names: string[];
  action: number;
  conditions: Condition[];
}

/** `struct scmp_arg_cmp`: an argument compared with one or two 64-bit words, in decimal. */
export interface Condition {
  index: number;
  operator: number;
  value: string;
  valueTwo: string;
}

const EPERM = 1;
const ENOSYS = 38;

/** Default actions that let a new call through, or leave it to a tracer. */
const LETTING_THROUGH: readonly Action[] = ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"];

/**
 * Plans a filter.
 * @param native the machine's own architecture: in the filter whether the profile lists it or not
 */
export function planFilter(profile: Seccomp, native: Architecture, failUnknown = false): FilterPlan {
  const { defaultErrnoRet, architectures = [], syscalls = [] } = profile;
  const defaultName = profile.defaultAction as Action;
  const defaultAction = action(defaultName, defaultErrnoRet);
  const tokens = [native, ...(architectures as Architecture[])].map((name) => ARCHITECTURES[name]);
  const rules = syscalls
    .map((entry, index) => ({ ...entry, index, action: action(entry.action as Action, entry.errnoRet) }))
    // libseccomp refuses a rule that says what is done in any case.
    .filter((entry) => entry.action !== defaultAction)
    .flatMap(({ index, names, action, args = [] }) =>
      conditionsOf(args).map((conditions) => ({ entry: index, names, action, conditions })),
    );
  return {
    architectures: [...new Set(tokens)],
    defaultAction,
    newCallsAreMissing: !LETTING_THROUGH.includes(defaultName) && defaultAction !== action("SCMP_ACT_ERRNO", ENOSYS),
    rules,
    names: [...new Set(syscalls.flatMap(({ names }) => names))],
    failUnknown,
  };
}

function action(name: Action, data: number = EPERM): number {
  const takesData = name === "SCMP_ACT_ERRNO" || name === "SCMP_ACT_TRACE";
  return takesData ? ACTIONS[name] + data : ACTIONS[name];
}

type Args = NonNullable<NonNullable<Seccomp["syscalls"]>[number]["args"]>;

/**
 * The conditions of each rule that an entry makes. All of an entry's must hold; but of one argument libseccomp takes a single condition in
 * a rule, so two for the same argument are alternatives, as they always have been in Docker and runc.
 */
function conditionsOf(args: Args): Condition[][] {
  const conditions = args.map(({ index, op, value, valueTwo = 0 }) => ({
    index,
    operator: OPERATORS[op as Operator],
    value: String(value),
    valueTwo: String(valueTwo),
  }));
  const repeats = new Set(args.map(({ index }) => index)).size < args.length;
  return repeats ? conditions.map((condition) => [condition]) : [conditions];
}
