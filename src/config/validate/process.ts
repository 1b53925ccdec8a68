/** `process`, in config.json and by itself in `exec --process`. */
import type { Process, Rlimit, Scheduler } from "../types.ts";
import { cpuListError } from "./cpu-list.ts";
import { refuseNul } from "./root.ts";
import type { Subject } from "./subject.ts";

/** @param at pointer of the process: `""` when it is the whole document */
export function validateProcess(subject: Subject, at: string, process: Process | undefined): void {
  if (process === undefined)
    return subject.refuseToCreate(at, undefined, "is missing: process property must not be empty");
  const { cwd, args = [], env = [], oomScoreAdj } = process;
  if (cwd === "") subject.refuse(`${at}/cwd`, cwd, "must not be empty");
  if (!cwd.startsWith("/")) subject.refuse(`${at}/cwd`, cwd, "must be an absolute path");
  refuseNul(subject, `${at}/cwd`, cwd);
  if (args.length === 0) subject.refuseToCreate(`${at}/args`, process.args, "args must not be empty");
  args.forEach((argument, index) => void refuseNul(subject, `${at}/args/${index}`, argument));
  env.forEach((variable, index) => {
    refuseNul(subject, `${at}/env/${index}`, variable);
    if (variable.indexOf("=") < 1) subject.refuse(`${at}/env/${index}`, variable, "must have the form NAME=value");
  });
  if (oomScoreAdj !== undefined && Math.abs(oomScoreAdj) > 1000) {
    subject.refuse(`${at}/oomScoreAdj`, oomScoreAdj, "must be from -1000 to 1000");
  }
  const { rlimits, scheduler, ioPriority } = process;
  if (rlimits) validateRlimits(subject, `${at}/rlimits`, rlimits);
  if (scheduler) validateScheduler(subject, `${at}/scheduler`, scheduler);
  if (ioPriority) validateIoPriority(subject, `${at}/ioPriority`, ioPriority);
  for (const name of ["initial", "final"] as const) {
    const list = process.execCPUAffinity?.[name];
    const error = list === undefined ? null : cpuListError(list);
    if (error !== null) subject.refuse(`${at}/execCPUAffinity/${name}`, list, `bad CPUAffinity: ${error}`);
  }
  const { selinuxLabel } = process;
  if (selinuxLabel && selinuxLabel.split(":").length < 3) {
    subject.refuse(`${at}/selinuxLabel`, selinuxLabel, "must have the form user:role:type[:level]");
  }
}

/** By name without `RLIMIT_`. @see getrlimit(2) */
const RLIMITS = " CPU FSIZE DATA STACK CORE RSS NPROC NOFILE MEMLOCK AS LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME ";

function validateRlimits(subject: Subject, at: string, rlimits: readonly Rlimit[]): void {
  const seen = new Set<string>();
  rlimits.forEach(({ type, soft, hard }, index) => {
    const pointer = `${at}/${index}`;
    if (!RLIMITS.includes(` ${type.slice("RLIMIT_".length)} `)) {
      subject.refuse(`${pointer}/type`, type, "wrong rlimit value: no limit of getrlimit(2)");
    }
    if (seen.has(type)) subject.refuse(`${pointer}/type`, type, "duplicated: each limit may be there once");
    seen.add(type);
    if (soft > hard) subject.refuse(`${pointer}/soft`, soft, `must not exceed the hard limit ${hard}`);
  });
}

/** @see sched_setattr(2) */
function validateScheduler(subject: Subject, at: string, scheduler: Scheduler): void {
  const { policy, nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0 } = scheduler;
  const takesNice = policy === "SCHED_OTHER" || policy === "SCHED_BATCH";
  const realTime = policy === "SCHED_FIFO" || policy === "SCHED_RR";
  if (policy === "SCHED_ISO") subject.refuse(`${at}/policy`, policy, "is implemented by no kernel");
  if (takesNice && (nice < -20 || nice > 19))
    subject.refuse(`${at}/nice`, nice, `must be from -20 to 19 with ${policy}`);
  if (!realTime && priority !== 0) {
    subject.refuse(`${at}/priority`, priority, "can only be specified for SCHED_FIFO or SCHED_RR");
  }
  if (realTime && (priority < 1 || priority > 99)) {
    subject.refuse(`${at}/priority`, priority, `must be from 1 to 99 with ${policy}`);
  }
  if (policy === "SCHED_DEADLINE") return;
  for (const [name, value] of Object.entries({ runtime, deadline, period })) {
    if (value !== 0) subject.refuse(`${at}/${name}`, value, "can only be specified for SCHED_DEADLINE");
  }
}

function validateIoPriority(subject: Subject, at: string, { priority = 0 }: Process["ioPriority"] & object): void {
  if (priority < 0 || priority > 7) {
    subject.refuse(`${at}/priority`, priority, "invalid ioPriority.Priority: must be from 0 to 7");
  }
}
