/** Carries out what the parent does to the forked process from outside. */

import type { HostProcessStep } from "../plan/host-process.ts";
import type { Handlers } from "../plan/step.ts";
import { SyscallError } from "../sys/error.ts";
import { writeFile } from "../sys/file.ts";
import { getLimit, setLimit } from "../sys/rlimit.ts";
import { setAffinity } from "../sys/scheduler.ts";

/** What each handler gets besides its step: the pid of the process. */
export const hostProcessHandlers: Handlers<HostProcessStep, number> = {
  "oom-score-adj": ({ value }, pid) => writeFile(`/proc/${pid}/oom_score_adj`, String(value)),
  "allow-limit": ({ type, soft, hard }, pid) => allowLimit(pid, type, BigInt(soft), BigInt(hard)),
  "set-affinity": ({ cpus }, pid) => setAffinity(pid, cpus),
};

/** Raises the hard limit so far that the process can set the limit itself, and finds out now whether it could. */
function allowLimit(pid: number, type: string, soft: bigint, hard: bigint): void {
  const EINVAL = 22;
  if (soft > hard)
    throw new SyscallError(`error setting rlimit type ${type}: soft limit ${soft} above hard limit ${hard}`, EINVAL);
  const now = getLimit(pid, type);
  if (hard > now.hard) setLimit(pid, type, { soft: now.soft, hard });
}
