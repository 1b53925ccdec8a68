/** Carries out what the parent does to the forked process from outside. */

import { describeHostProcess, type HostProcessStep } from "../plan/host-process.ts";
import { describeBy, type Handlers } from "../plan/step.ts";
import { SyscallError } from "../sys/error.ts";
import { writeFile } from "../sys/file.ts";
import { getLimit, setLimit } from "../sys/rlimit.ts";
import { setAffinity } from "../sys/scheduler.ts";
import { namingStep } from "./naming-step.ts";
import type { Logger } from "./options.ts";

/** What the parent's handlers need: whose process it is, and where to say what is not worth failing for. */
export interface HostProcessContext {
  pid: number;
  log: Logger;
}

export const hostProcessHandlers: Handlers<HostProcessStep, HostProcessContext> = {
  "oom-score-adj": ({ value }, { pid }) => writeFile(`/proc/${pid}/oom_score_adj`, String(value)),
  "allow-limit": ({ type, soft, hard }, { pid }) => allowLimit(pid, type, BigInt(soft), BigInt(hard)),
  "set-affinity": ({ cpus }, { pid }) => setAffinity(pid, cpus),
};

/** Carries the steps out, in order; a failure names its step. */
export function actOnProcess(steps: readonly HostProcessStep[], context: HostProcessContext): void {
  const handlers = hostProcessHandlers as Record<string, (step: HostProcessStep, context: HostProcessContext) => void>;
  for (const step of steps) {
    const words = () => describeBy([describeHostProcess], step);
    if (context.log.tracing) context.log.debug(words());
    namingStep(words, () => handlers[step.kind]?.(step, context));
  }
}

/** Raises the hard limit so far that the process can set the limit itself, and finds out now whether it could. */
function allowLimit(pid: number, type: string, soft: bigint, hard: bigint): void {
  const EINVAL = 22;
  if (soft > hard)
    throw new SyscallError(`error setting rlimit type ${type}: soft limit ${soft} above hard limit ${hard}`, EINVAL);
  const now = getLimit(pid, type);
  if (hard > now.hard) setLimit(pid, type, { soft: now.soft, hard });
}
