/** `process`, in config.json and by itself in `exec --process`. */
import type { Integer64, Process, Rlimit, Scheduler } from "../types.ts";
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
  const { additionalGids = [] } = process.user ?? {};
  // NGROUPS_MAX, linux/limits.h. Its refusal by the kernel would name them all.
  if (additionalGids.length > 65536) {
    subject.refuse(
      `${at}/user/additionalGids`,
      undefined,
      `has ${additionalGids.length} groups: a process has at most 65536`,
    );
  }
  if (process.terminal && process.consoleSize) validateConsoleSize(subject, `${at}/consoleSize`, process.consoleSize);
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

/** @see ioctl_tty(2), TIOCSWINSZ: the kernel would cut larger ones */
function validateConsoleSize(subject: Subject, at: string, size: Process["consoleSize"] & object): void {
  const LARGEST = 65535;
  for (const name of ["height", "width"] as const) {
    if (size[name] > LARGEST) subject.refuse(`${at}/${name}`, size[name], `must be from 0 to ${LARGEST}`);
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
  if (policy === "SCHED_DEADLINE") return validateDeadline(subject, at, scheduler);
  for (const [name, value] of Object.entries({ runtime, deadline, period })) {
    if (value !== 0) subject.refuse(`${at}/${name}`, value, "can only be specified for SCHED_DEADLINE");
  }
}

/** The least runtime that the kernel can reckon with, and the first that it cannot. */
const [LEAST_RUNTIME, TOO_LONG] = [1024, 2n ** 63n];

/** What the kernel would call EINVAL. @see sched(7), "SCHED_DEADLINE" */
function validateDeadline(subject: Subject, at: string, { runtime, deadline, period = 0 }: Scheduler): void {
  const refuse = (name: string, value: Integer64 | undefined, rule: string): never =>
    subject.refuse(`${at}/${name}`, value, `sched_setattr: \`SCHED_DEADLINE\` ${rule}`);
  if (runtime === undefined) return refuse("runtime", runtime, "requires `runtime`");
  if (deadline === undefined) return refuse("deadline", deadline, "requires `deadline`");
  if (runtime <= 0) refuse("runtime", runtime, "runtime must be greater than 0");
  if (runtime < LEAST_RUNTIME || runtime >= TOO_LONG) {
    refuse("runtime", runtime, `runtime ${runtime} must be between ${LEAST_RUNTIME} and 2^63 - 1`);
  }
  if (runtime > deadline) refuse("runtime", runtime, `runtime ${runtime} must be <= deadline ${deadline}`);
  if (period !== 0 && deadline > period) {
    refuse("deadline", deadline, `deadline ${deadline} must be <= period ${period}`);
  }
}

function validateIoPriority(subject: Subject, at: string, { priority = 0 }: Process["ioPriority"] & object): void {
  if (priority < 0 || priority > 7) {
    subject.refuse(`${at}/priority`, priority, "invalid ioPriority.Priority: must be from 0 to 7");
  }
}
