/** Runs hooks: programs that get the container's state on their standard input. */
import type { Hook, HookKind, State } from "../config/types.ts";
import { callerEnvironment } from "../sys/executable.ts";
import type { Fd } from "../sys/fd.ts";
import { signalInWords } from "../sys/signal.ts";
import { type Outcome, type Program, runProgram } from "../sys/spawn.ts";

/** What hooks get of their caller. */
export interface HookSurroundings {
  /** Working directory; the caller's own when left out. */
  cwd?: string;
  /** The environment of a hook that does not say its own; the caller's when left out. */
  environment?: readonly string[];
  /** Where their output goes; otherwise it is kept, for the error of one that fails. */
  output?: HookOutput;
  /** What ends a hook before its end: it has failed then. */
  interruption?: Program["interruption"];
}

/** Files that take hooks' output. */
export interface HookOutput {
  stdout: Fd | null;
  stderr: Fd | null;
}

/** A hook failed: the container is to be stopped and destroyed. */
export class HookError extends Error {}

/**
 * Runs hooks in order, in the namespaces that this process is in.
 * @throws {HookError} at the first that fails: `error running <kind> hook #<n>: <path>: …`
 * @see runtime-spec, config.md, "POSIX-platform Hooks"
 */
export function runHooks(
  kind: HookKind,
  hooks: readonly Hook[] | undefined,
  state: State,
  around: HookSurroundings = {},
): void {
  hooks?.forEach((hook, index) => {
    const failure = runHook(hook, state, around);
    if (failure !== null) throw new HookError(`error running ${kind} hook #${index}: ${hook.path}: ${failure}`);
  });
}

/** @returns why the hook failed, or `null` */
export function runHook(hook: Hook, state: State, around: HookSurroundings = {}): string | null {
  let outcome: Outcome;
  try {
    outcome = execute(hook, state, around);
  } catch (error) {
    return (error as Error).message;
  }
  const { status, timedOut, interrupted, stdout, stderr } = outcome;
  if (interrupted !== null) return interrupted;
  if (timedOut) return `hook ran past specified timeout of ${hook.timeout}.0s`;
  if (status.kind === "exited" && status.code === 0) return null;
  const end = status.kind === "exited" ? `exit status ${status.code}` : `signal: ${signalInWords(status.signal)}`;
  return `${end}, stdout: ${stdout.trim()}, stderr: ${stderr.trim()}`;
}

function execute(hook: Hook, state: State, { cwd, environment, output, interruption }: HookSurroundings): Outcome {
  return runProgram({
    path: hook.path,
    args: hook.args && hook.args.length > 0 ? hook.args : [hook.path],
    environment: hook.env ?? environment ?? callerEnvironment(),
    input: JSON.stringify(state),
    ...(cwd === undefined ? {} : { cwd }),
    ...(output === undefined ? {} : { output }),
    ...(interruption === undefined ? {} : { interruption }),
    ...(hook.timeout === undefined ? {} : { timeout: hook.timeout * 1000 }),
  });
}
