/** The environment of the process. */

/** What {@link planEnvironment} gives. */
export interface EnvironmentPlan {
  /** `NAME=value`, each name once: the last value that it was given, in the order of the last ones. */
  variables: string[];
  /** Whether `HOME` remains to be taken from the container's `/etc/passwd`. */
  homeMissing: boolean;
  /** The value of `PATH`, where the executable is looked for; `null` when there is none. */
  path: string | null;
}

/**
 * Plans the environment. An empty `HOME` counts as none.
 * @throws {Error} `invalid environment variable…` for an entry without `=`, without a name, or with a NUL
 */
export function planEnvironment(env: readonly string[]): EnvironmentPlan {
  const last = new Map<string, string>();
  for (const entry of env) {
    const name = variableName(entry);
    last.delete(name);
    last.set(name, entry);
  }
  const homeMissing = (last.get("HOME") ?? "HOME=") === "HOME=";
  if (homeMissing) last.delete("HOME");
  return { variables: [...last.values()], homeMissing, path: last.get("PATH")?.slice("PATH=".length) ?? null };
}

function variableName(entry: string): string {
  const equals = entry.indexOf("=");
  if (equals === -1) throw new Error("invalid environment variable: missing '='");
  if (equals === 0) throw new Error("invalid environment variable: name cannot be empty");
  const name = entry.slice(0, equals);
  if (entry.includes("\0")) {
    throw new Error(`invalid environment variable ${JSON.stringify(name)}: contains nul byte (\\x00)`);
  }
  return name;
}
