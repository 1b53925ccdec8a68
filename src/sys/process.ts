/** Processes: making, waiting for, replacing and naming them. */

import { ERRNO } from "./errno.ts";
import { check, hasErrno } from "./error.ts";
import { AT, Fd } from "./fd.ts";
import { addressOf, syscall } from "./ffi.ts";
import { readDirectory, readText } from "./file.ts";
import { noteIgnoredSignals, signalName } from "./signal.ts";
import { statusField } from "./status-field.ts";
import { encode } from "./text.ts";

const { ECHILD, EINTR, ESRCH } = ERRNO;
const SIGCHLD = 17;

/** `clone(2)` flags that are no namespace (those are in `namespace.ts`). */
export const CLONE = {
  /** The child's parent is the caller's parent. */
  PARENT: 0x8000,
  PIDFD: 0x1000,
  /** Into the cgroup of `cgroup`; Linux 5.7. */
  INTO_CGROUP: 0x200000000n,
} as const;

/** What {@link fork} makes. */
export interface ForkOptions {
  /** `CLONE_NEW*` and {@link CLONE} flags. */
  flags?: bigint;
  /** Descriptor of a cgroup v2 directory to start the child in. */
  cgroup?: number;
  /**
   * Whether this process has one thread for certain, as one that was forked: in a mount namespace that it has joined, `/proc` may
   * belong to a pid namespace in which it does not exist.
   */
  threadsCounted?: boolean;
}

/**
 * Forks: returns twice, 0 in the child and the child's pid in the parent.
 *
 * The child shares nothing but the memory's contents. It must leave by {@link execve} or {@link exit}, and may use only
 * synchronous calls: the event loop belongs to the parent.
 *
 * @throws {SyscallError} `clone3`
 * @throws {Error} when this process has more than one thread (a lock held by another one would stay locked for ever)
 * @see clone3(2), Linux 5.3
 */
export function fork({ flags = 0n, cgroup, threadsCounted = false }: ForkOptions = {}): number {
  if (!threadsCounted) assertSingleThread();
  const parentFlag = (flags & BigInt(CLONE.PARENT)) !== 0n;
  // struct clone_args: flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup
  const args = new BigUint64Array(11);
  args[0] = flags | (cgroup === undefined ? 0n : CLONE.INTO_CGROUP);
  // With CLONE_PARENT the kernel keeps the caller's own exit signal and refuses another.
  args[4] = parentFlag ? 0n : BigInt(SIGCHLD);
  args[10] = BigInt(cgroup ?? 0);
  return check(syscall("clone3", args, args.byteLength), "clone3");
}

/** @throws {Error} unless this process has exactly one thread */
export function assertSingleThread(): void {
  const status = readText("/proc/self/status");
  const threads = statusField(status, "Threads");
  if (threads !== "1")
    throw new Error(`cannot fork: this process has ${threads} threads, and fork is sound with one only`);
  // The child, which will execute a program, may have no such file.
  noteIgnoredSignals(status);
}

/** Ends this process at once: no exit handlers, no event loop. */
export function exit(code: number): never {
  syscall("_exit", code);
  throw new Error("unreachable");
}

/**
 * Replaces this process by a program.
 * @param environment `NAME=value` strings
 * @returns only when it fails: the positive errno
 * @see execve(2)
 */
export function execve(path: string, args: readonly string[], environment: readonly string[]): number {
  const argv = new StringArray(args);
  const envp = new StringArray(environment);
  return -syscall("execve", path, argv.pointers, envp.pointers);
}

/** {@link execve} of an open file. @see execveat(2), AT_EMPTY_PATH */
export function execveFd(fd: number, args: readonly string[], environment: readonly string[]): number {
  const argv = new StringArray(args);
  const envp = new StringArray(environment);
  return -syscall("execveat", fd, "", argv.pointers, envp.pointers, AT.EMPTY_PATH);
}

/** A NULL-terminated `char *[]`, with the memory that it points to. */
export class StringArray {
  readonly pointers: BigUint64Array;
  readonly #memory: Uint8Array;

  constructor(strings: readonly string[]) {
    this.#memory = encode(strings.map((text) => `${text}\0`).join(""));
    this.pointers = new BigUint64Array(strings.length + 1);
    const start = strings.length === 0 ? 0n : addressOf(this.#memory);
    let at = 0;
    strings.forEach((_, index) => {
      this.pointers[index] = start + BigInt(at);
      at = this.#memory.indexOf(0, at) + 1;
    });
  }
}

/** How a process ended. */
export type ExitStatus = { kind: "exited"; code: number } | { kind: "signaled"; signal: number };

/** The exit code that a shell would give for a status: the code, or 128 + the signal. */
export function exitCode(status: ExitStatus): number {
  return status.kind === "exited" ? status.code : 128 + status.signal;
}

/** A status in words that follow the name of a process: "was ended by SIGTERM", "ended with exit code 3". */
export function endWords(status: ExitStatus): string {
  return status.kind === "exited" ? `ended with exit code ${status.code}` : `was ended by ${signalName(status.signal)}`;
}

/**
 * Waits for a child.
 * @param options `wait: false` returns `null` at once when the child still runs
 * @throws {SyscallError} `wait4`: ECHILD when it is not our child
 * @see wait4(2)
 */
export function waitPid(pid: number, options?: { wait: true }): ExitStatus;
export function waitPid(pid: number, options: { wait: boolean }): ExitStatus | null;
export function waitPid(pid: number, { wait }: { wait: boolean } = { wait: true }): ExitStatus | null {
  return waitAny(pid, wait)?.status ?? null;
}

/**
 * Reaps any child that has ended, without waiting.
 * @returns `null` when none has ended, or there is none
 */
export function reapAny(): { pid: number; status: ExitStatus } | null {
  const ANY = -1;
  return waitAny(ANY, false, true);
}

/** @param childless whether to have no child at all is fine, too */
function waitAny(pid: number, wait: boolean, childless = false): { pid: number; status: ExitStatus } | null {
  const WNOHANG = 1;
  const word = new Int32Array(1);
  let result: number;
  do result = syscall("wait4", pid, word, wait ? 0 : WNOHANG, 0);
  while (result === -EINTR);
  if (childless && result === -ECHILD) return null;
  if (check(result, () => `wait for process ${pid}`) === 0) return null;
  const status = word[0] as number;
  const signal = status & 0x7f;
  return {
    pid: result,
    status: signal === 0 ? { kind: "exited", code: (status >> 8) & 0xff } : { kind: "signaled", signal },
  };
}

/**
 * Sends a signal.
 * @returns false when there is no such process
 * @throws {SyscallError} `kill`
 */
export function sendSignal(pid: number, signal: number): boolean {
  const result = syscall("kill", pid, signal);
  if (result === -ESRCH) return false;
  check(result, () => `kill process ${pid} with signal ${signal}`);
  return true;
}

/**
 * Kills a child and reaps it; a child that is gone already is left alone, and so is one that has become another user whom this
 * process may not signal.
 */
export function killChild(pid: number): void {
  const SIGKILL = 9;
  try {
    if (!sendSignal(pid, SIGKILL)) return;
    waitPid(pid);
  } catch (error) {
    if (!hasErrno(error, "ECHILD", "EPERM")) throw error;
  }
}

/** A descriptor that names a process for good, and is readable once its last thread has ended. @see pidfd_open(2) */
export function pidfdOpen(pid: number): Fd {
  return new Fd(check(syscall("pidfd_open", pid, 0), () => `pidfd_open ${pid}`));
}

/** The same, or `null` for a process that is gone: that has ended, and been waited for. @throws {SyscallError} `pidfd_open` */
export function pidfdFind(pid: number): Fd | null {
  try {
    return pidfdOpen(pid);
  } catch (error) {
    if (hasErrno(error, "ESRCH")) return null;
    throw error;
  }
}

/**
 * The same of one thread, which need not be its process's first.
 * @throws {SyscallError} EINVAL before Linux 6.9
 * @see pidfd_open(2), PIDFD_THREAD
 */
export function pidfdOpenThread(tid: number): Fd {
  const PIDFD_THREAD = 0o200; // O_EXCL
  return new Fd(check(syscall("pidfd_open", tid, PIDFD_THREAD), () => `pidfd_open of thread ${tid}`));
}

/** Sends a signal by pidfd. @returns false when the process is gone */
export function pidfdSendSignal(pidfd: number, signal: number): boolean {
  const result = syscall("pidfd_send_signal", pidfd, signal, 0, 0);
  if (result === -ESRCH) return false;
  check(result, `pidfd_send_signal ${signal}`);
  return true;
}

/** What `/proc/<pid>/stat` says of a process. */
export interface ProcessStat {
  /** One letter: R, S, D, Z, T, X, … */
  state: string;
  parent: number;
  /** How many threads have not ended, and the first of them in any case. */
  threads: number;
  /** Start time in clock ticks since boot; with the pid, it names a process uniquely. */
  startTime: number;
}

/**
 * Reads `/proc/<pid>/stat`.
 * @returns `null` when there is no such process
 * @see proc(5), fields 3, 4, 20 and 22
 */
export function processStat(pid: number): ProcessStat | null {
  let text: string;
  try {
    text = readText(`/proc/${pid}/stat`);
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH")) return null;
    throw error;
  }
  // The command, field 2, is in parentheses and may hold spaces and parentheses itself.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [state, parent] = fields as [string, string];
  return { state, parent: Number(parent), threads: Number(fields[17]), startTime: Number(fields[19]) };
}

/**
 * Whether a process has ended: reaped, or waiting to be. One whose first thread has ended while others live looks like a zombie, and
 * is none.
 */
export function hasEnded({ state, threads }: ProcessStat): boolean {
  return state === "X" || (state === "Z" && threads <= 1);
}

/**
 * A thread of a process that has what the process has: its namespaces, its cgroups. The first one, unless that has ended before
 * others: then it has let go of them.
 * @param pid of a process that has not ended
 */
export function livingThread(pid: number): number {
  if (processStat(pid)?.state !== "Z") return pid;
  for (const { name } of readDirectory(`/proc/${pid}/task`)) {
    const state = processStat(Number(name))?.state ?? "X";
    if (state !== "Z" && state !== "X") return Number(name);
  }
  return pid;
}

/** `prctl(2)` operations that tsrunc uses. */
export const PR = {
  SET_PDEATHSIG: 1,
  SET_DUMPABLE: 4,
  SET_KEEPCAPS: 8,
  CAPBSET_READ: 23,
  CAPBSET_DROP: 24,
  SET_NAME: 15,
  SET_CHILD_SUBREAPER: 36,
  SET_NO_NEW_PRIVS: 38,
  GET_NO_NEW_PRIVS: 39,
  CAP_AMBIENT: 47,
} as const;

/** @throws {SyscallError} `prctl <operation>` @see prctl(2) */
export function prctl(operation: keyof typeof PR, a = 0, b = 0): number {
  return check(syscall("prctl", PR[operation], a, b, 0, 0), () => `prctl PR_${operation}`);
}
