/** The forked child: carries a plan out, step by step, and reports where it fails. */

import { HookError } from "../hooks/run.ts";
import type { InitStep } from "../plan/plan.ts";
import type { Handlers, StepBase } from "../plan/step.ts";
import { forgetEnvironment } from "../sys/environment.ts";
import type { Fd } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { writeSome } from "../sys/io.ts";
import { exit } from "../sys/process.ts";
import { encode } from "../sys/text.ts";
import { encodeMessage, type Failure } from "./channel.ts";
import type { InitContext } from "./context.ts";
import { closeDescriptors } from "./descriptors.ts";

/** What a forked process can do: each kind of step of its plan. */
export interface StepHandlers<S extends StepBase> {
  handlers: Handlers<S, InitContext>;
  describe(step: S): string;
}

/** What the init brings along from before the fork. */
export type InitInput = Pick<InitContext, "channel" | "inherited" | "trace" | "callersEnvironment"> &
  Partial<Pick<InitContext, "cgroups" | "seccompFilter" | "startFifo" | "waits" | "hookOutput">>;

/**
 * Carries the steps out. Never returns: the last step is an execve, and a failure ends this process once it is reported.
 */
export function runInit<S extends InitStep>(steps: readonly S[], handling: StepHandlers<S>, given: InitInput): never {
  // The table has each kind's own handler; the compiler cannot pair them up.
  const handlers = handling.handlers as unknown as Record<string, (step: S, context: InitContext) => void>;
  const { describe } = handling;
  const context = beginInit(steps, given);
  let current: S | undefined;
  try {
    for (const step of steps) {
      current = step;
      if (context.trace && !context.ready) context.channel.send({ type: "debug", message: describe(step) });
      handlers[step.kind]?.(step, context);
    }
    throw new Error("the plan ended without an execve");
  } catch (error) {
    if (current?.kind === "execute") return failedExecve(error as Error);
    report(failure(error, current, describe), context);
  }
  return exit(1);
}

/** Lets go of what is the parent's. @returns what the steps' handlers share */
export function beginInit(steps: readonly InitStep[], given: InitInput): InitContext {
  closeOthers(steps, [
    ...[given.channel.fd, given.startFifo, given.hookOutput?.stdout, given.hookOutput?.stderr],
    ...(given.cgroups?.tasks ?? []),
    ...given.inherited.values(),
  ]);
  // A hook that says nothing of its environment has the runtime's own.
  if (!steps.some((step) => step.kind === "container-hooks" && step.hook === "createContainer")) {
    forgetEnvironment(given.callersEnvironment);
  }
  return {
    startFifo: null,
    waits: false,
    seccompFilter: null,
    ...given,
    rootfs: null,
    mounts: new Map(),
    environment: [],
    executable: null,
    ready: false,
    started: false,
    pid: syscall("getpid"),
  };
}

/** The program is found and may be executed, but the kernel refuses it: the user's terminal is the place to say so. */
function failedExecve({ message }: Error): never {
  const STDERR = 2;
  // Where it is closed, nobody is to be told.
  const line = encode(`${message}\n`);
  syscall("write", STDERR, line, line.byteLength);
  return exit(255);
}

/** Closes all descriptors of the parent's, and of its caller's, but those that the process will have, and some. */
export function closeOthers(steps: readonly InitStep[], kept: Iterable<Fd | null | undefined>): void {
  closeDescriptors(passedDescriptors(steps), kept);
}

/** How many descriptors the process will have from 3 on. */
function passedDescriptors(steps: readonly InitStep[]): number {
  for (const step of steps) if (step.kind === "keep-passed-descriptors") return step.passed;
  return 0;
}

function failure<S extends InitStep>(error: unknown, step: S | undefined, describe: (step: S) => string): Failure {
  const { message } = error as Error;
  return {
    type: "error",
    message: step === undefined ? message : withStep(message, step.kind, describe(step)),
    ...(error instanceof HookError && { hook: true }),
  };
}

/** Kinds whose errors are whole sentences that engines know by their words: nothing is put before them. */
const SELF_EXPLAINING = new Set<InitStep["kind"]>(["container-hooks", "find-executable"]);

function withStep(message: string, kind: InitStep["kind"], words: string): string {
  if (SELF_EXPLAINING.has(kind)) return message;
  // In the words with which runc begins, which its callers look for.
  const what = kind === "mount" || kind === "bind" ? "error mounting: " : "";
  return `error during container init: ${what}${words}: ${message}`;
}

function report(failed: Failure, context: InitContext): void {
  try {
    if (!context.started) context.channel.send(failed);
    else if (context.startFifo !== null) writeSome(context.startFifo.number, encodeMessage(failed));
  } catch {
    // The parent is gone: nobody is left to tell.
  }
}
