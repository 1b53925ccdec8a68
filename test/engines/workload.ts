/** A workload: what an engine is told to do, in its own words, and what must come of it. */

/** Whose words: those that Podman and Docker share are `common`. */
export type Language =
  | "common"
  | "podman"
  | "rootless"
  | "docker"
  | "buildah"
  | "buildkit"
  | "compose"
  | "swarm"
  | "ctr"
  | "cri";

/** For each language, or for all alike. */
type Each<T> = T | Partial<Record<Language, T>>;

export interface Workload {
  name: string;
  /**
   * Scripts for bash. An engine takes the first language that it speaks; one that speaks none of them does not have the workload.
   * They print what is compared; `$engine` is the engine's program, and all that they make is called `$id` or begins with it.
   */
  words: Partial<Record<Language, string>>;
  /** Exactly what the script prints, but for white space at both ends. */
  expected: Each<string>;
  /** Engines that cannot, though they speak the language, and why. */
  without?: Partial<Record<Language, string>>;
  /** What runc is known to do otherwise, and why that is right for tsrunc. */
  runc?: { expected: Each<string>; because: string };
  /** What the machine must have. */
  needs?: "cgroups";
  /** Whether it is part of the short form. */
  short?: true;
  /** Whether nothing else may run beside it. */
  alone?: true;
  /** Seconds. */
  limit?: number;
}

/** The functions that scripts have. */
export const PRELUDE = `
set -u
# code COMMAND...: prints its exit code alone
code() { "$@" > /dev/null 2>&1; echo "$?"; }
# wait_for COMMAND...: until it succeeds, a minute at the most
wait_for() {
  local attempt
  for attempt in $(seq 240); do "$@" > /dev/null 2>&1 && return 0; sleep 0.25; done
  echo "waited in vain for: $*"
}
# shows PATTERN COMMAND...: whether a command prints it
shows() { "\${@:2}" 2>&1 | grep -q -e "$1"; }
# exit_code_of COMMAND...: prints the exit code that containerd's client tells of
exit_code_of() { "$@" 2>&1 | sed -n 's/.*exit code \\([0-9]*\\).*/\\1/p'; }
# refused COMMAND...: prints whether it failed
refused() { if "$@" > /dev/null 2>&1; then echo allowed; else echo refused; fi; }
# terminal ROWS COLUMNS COMMAND...: on a new terminal of that size
terminal() { python3 /srv/with-pty.py "$1" "$2" "" "$(command -v "$3")" "\${@:4}"; }
`;

/** The value for an engine that speaks these languages. */
export function inWords<T>(each: Each<T>, languages: readonly Language[]): T | undefined {
  if (each === null || typeof each !== "object") return each;
  const table = each as Partial<Record<Language, T>>;
  const language = languages.find((one) => table[one] !== undefined);
  return language === undefined ? undefined : table[language];
}
