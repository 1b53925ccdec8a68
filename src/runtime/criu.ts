/** What `checkpoint` and `restore` share: finding CRIU, and saying why it did not work. */
import { openCgroup } from "../cgroup/manager.ts";
import type { Spec } from "../config/types.ts";
import { lastErrorIn } from "../criu/log.ts";
import { CriuError } from "../criu/process.ts";
import { callerEnvironment } from "../sys/executable.ts";
import { exists, isExecutable } from "../sys/file.ts";
import { runProgram } from "../sys/spawn.ts";
import { isDirectory, stat } from "../sys/stat.ts";
import { hostFacts } from "./host.ts";
import type { Container } from "./store.ts";

/**
 * Finds the program, in the caller's `PATH` as runc does.
 * @throws {Error} where it is missing, and for users who are not root: CRIU takes up and makes processes of all kinds
 */
export function findCriu(command: "checkpoint" | "restore"): string {
  const { euid, inUserNamespace } = hostFacts();
  if (euid !== 0 || inUserNamespace) {
    throw new Error(`${command} needs root outside of any user namespace: CRIU does not work for rootless containers`);
  }
  const path = process.env["PATH"] ?? "";
  for (const directory of path.split(":")) {
    // Never from where the caller happens to be.
    if (!directory.startsWith("/")) continue;
    const candidate = `${directory}/criu`;
    if (isExecutable(candidate) && !isDirectory(stat(candidate))) return candidate;
  }
  throw new Error(`${command} needs criu, which is not in $PATH (${path}): install criu`);
}

/**
 * Why a request failed, with what CRIU has logged.
 * @param criu the program
 * @param log its log
 */
export function explainFailure(error: unknown, criu: string, log: string): Error {
  if (!(error instanceof CriuError)) return error as Error;
  const reason = lastErrorIn(log) ?? error.said;
  // Before it has begun it can only be CRIU itself: it has a check for that.
  const check = error.begun ? null : failedCheck(criu);
  if (check !== null) return new Error(`criu does not work on this machine: criu check: ${check}`);
  const where = exists(log) ? ` (log file: ${log})` : "";
  return new Error(`${error.message}${where}${reason === null ? "" : `: ${reason}`}`);
}

/** What `criu check` finds to be wrong; `null` when it is content. */
function failedCheck(criu: string): string | null {
  const { status, stderr, stdout } = runProgram({
    path: criu,
    args: ["criu", "check"],
    environment: callerEnvironment(),
    timeout: 60_000,
  });
  if (status.kind === "exited" && status.code === 0) return null;
  const lines = `${stdout}\n${stderr}`.split("\n").map((line) => line.trim());
  const errors = lines.filter((line) => line.startsWith("Error"));
  // The first is the cause; what comes after it is what failed for that.
  return errors[0] ?? lines.find((line) => line !== "") ?? "it failed without a word";
}

/** The configuration file of CRIU's that has the last word: an annotation's, or the one for containers. */
export function configFile({ annotations = {} }: Pick<Spec, "annotations">): string | null {
  const named = annotations["org.criu.config"];
  if (named !== undefined) return named === "" ? null : named;
  const own = "/etc/criu/tsrunc.conf";
  return exists(own) ? own : "/etc/criu/runc.conf";
}

/** Directory of the cgroup by whose freezer a container is held; `null` where it has none. */
export function freezerOf({ cgroup }: Container): string | null {
  const paths = openCgroup(cgroup).paths();
  const isUnified = cgroup.driver !== "disabled" && cgroup.mode === "v2";
  return (isUnified ? paths[""] : paths["freezer"]) ?? null;
}
