/** Carries out the parent's side of a start. The handlers here are those of any process; a container's are in `launch-steps.ts`. */
import type { Cgroup } from "../cgroup/manager.ts";
import type { Spec } from "../config/types.ts";
import type { ExecParentStep } from "../plan/exec.ts";
import type { ParentStep, PidfdReceiver } from "../plan/parent.ts";
import type { ParentContainerStep } from "../plan/parent-container.ts";
import type { Describers, Handlers } from "../plan/step.ts";
import { describeBy } from "../plan/step.ts";
import type { Fd } from "../sys/fd.ts";
import { pidfdOpen } from "../sys/process.ts";
import { sendPidfd } from "./console-socket.ts";
import type { Conversation, Request } from "./conversation.ts";
import type { Context } from "./options.ts";
import { writePidFile } from "./pid-file.ts";
import { hostProcessHandlers } from "./process-limits.ts";
import type { Container } from "./store.ts";

/** What the parent's handlers share while they carry a plan out. */
export interface ParentContext {
  readonly context: Context;
  readonly container: Container;
  readonly spec: Spec;
  readonly cgroup: Cgroup;
  /** The socket that gets the terminal's master. */
  readonly console: Fd | null;
  /** The sockets that get a pidfd: opened before anything is made, so that a wrong path leaves nothing behind. */
  readonly sockets: ReadonlyMap<PidfdReceiver, Fd>;
  readonly purpose: "init" | "exec";
  /** With the process, once it is forked. */
  conversation: Conversation | null;
  /** Of the process, once something has needed it. */
  pidfd: Fd | null;
  /** Does what the process asks for. */
  answer(request: Request): void;
}

/**
 * Carries the steps out, in order. Should one fail, the process is ended, if it has been forked.
 * @throws {Error} in the words of the step, or of the process where that had failed before
 */
export function carryOut<S extends ParentContainerStep | ExecParentStep, C extends ParentContext>(
  steps: readonly S[],
  handlers: Handlers<S, C>,
  words: Describers<S>,
  context: C,
): void {
  // The table has each kind's own handler; the compiler cannot pair them up.
  const table = handlers as unknown as Record<string, (step: S, context: C) => void>;
  const { log } = context.context;
  for (const step of steps) {
    const describe = () => describeBy([words], step);
    if (log.tracing) log.debug(`parent: ${describe()}`);
    try {
      table[step.kind]?.(step, context);
    } catch (error) {
      const named = NAMED.has(step.kind) ? new Error(`${describe()}: ${(error as Error).message}`) : (error as Error);
      throw context.conversation?.abandon(named) ?? named;
    }
  }
}

/** Kinds whose errors begin with the step in words. Those of the others are whole sentences that engines know. */
const NAMED: ReadonlySet<string> = new Set([
  "id-mapping",
  "oom-score-adj",
  "allow-limit",
  "set-affinity",
] satisfies ParentContainerStep["kind"][]);

/** The conversation with the process. @throws {Error} in a plan that has no fork before */
export function conversationOf({ conversation }: ParentContext): Conversation {
  if (conversation === null) throw new Error("the plan needs the process before it is forked");
  return conversation;
}

/** A pidfd of the process, which stays open. */
export function pidfdOf(context: ParentContext): Fd {
  context.pidfd ??= pidfdOpen(conversationOf(context).pid);
  return context.pidfd;
}

const { "oom-score-adj": setScore, "allow-limit": allowLimit, "set-affinity": setAffinity } = hostProcessHandlers;

/** What a container's start and `exec` carry out in the same way. */
export const sharedHandlers: Handlers<Exclude<ParentStep, { kind: "admit" }>, ParentContext> = {
  "oom-score-adj": (step, context) => setScore(step, conversationOf(context).pid),
  "allow-limit": (step, context) => allowLimit(step, conversationOf(context).pid),
  "set-affinity": (step, context) => setAffinity(step, conversationOf(context).pid),
  allow: (_, context) => conversationOf(context).allow(),
  answer: ({ until }, context) => {
    // While the process cannot have ended unseen, so that its pid is its own.
    pidfdOf(context);
    conversationOf(context).until(until, (request) => context.answer(request));
  },
  "send-pidfd": ({ to }, context) => {
    const socket = context.sockets.get(to);
    if (socket !== undefined) sendPidfd(to, socket, pidfdOf(context), context.purpose);
  },
  "write-pid-file": ({ path }, context) => writePidFile(path, conversationOf(context).pid),
  "let-go": (_, context) => conversationOf(context).close(),
};
