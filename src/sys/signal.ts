/** Signals by name and number, and receiving them through a descriptor. */

import { check } from "./error.ts";
import { Fd, O } from "./fd.ts";
import { syscall } from "./ffi.ts";
import { statusField } from "./status-field.ts";

/** Numbers by name, the same on x86_64 and aarch64; of two names for one, the usual comes first. @see signal(7) */
export const SIGNALS = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGIOT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGSTKFLT: 16,
  SIGCHLD: 17,
  SIGCONT: 18,
  SIGSTOP: 19,
  SIGTSTP: 20,
  SIGTTIN: 21,
  SIGTTOU: 22,
  SIGURG: 23,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGVTALRM: 26,
  SIGPROF: 27,
  SIGWINCH: 28,
  SIGIO: 29,
  SIGPOLL: 29,
  SIGPWR: 30,
  SIGSYS: 31,
} as const;

const SIGRTMIN = 34;
const SIGRTMAX = 64;

/**
 * The number of a signal given by name or number: `9`, `KILL`, `SIGKILL`, `sigkill`, `RTMIN+2`.
 * @returns `null` when there is no such signal
 */
export function parseSignal(text: string): number | null {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    return number <= SIGRTMAX ? number : null;
  }
  const name = text.toUpperCase().replace(/^SIG/, "");
  const realTime = /^RT(MIN|MAX)(?:([+-]\d+))?$/.exec(name);
  if (realTime !== null) {
    const number = (realTime[1] === "MIN" ? SIGRTMIN : SIGRTMAX) + Number(realTime[2] ?? 0);
    return number >= SIGRTMIN && number <= SIGRTMAX ? number : null;
  }
  return (SIGNALS as Readonly<Record<string, number>>)[`SIG${name}`] ?? null;
}

/** The name of a signal: `signalName(9)` is `"SIGKILL"`. */
export function signalName(number: number): string {
  for (const [name, value] of Object.entries(SIGNALS)) if (value === number) return name;
  return number >= SIGRTMIN ? `SIGRTMIN+${number - SIGRTMIN}` : `signal ${number}`;
}

/** What signals that end a program say of it, in the words of strsignal(3). */
const DEATHS: Readonly<Record<number, string>> = {
  [SIGNALS.SIGILL]: "illegal instruction",
  [SIGNALS.SIGTRAP]: "trace/breakpoint trap",
  [SIGNALS.SIGABRT]: "aborted",
  [SIGNALS.SIGBUS]: "bus error",
  [SIGNALS.SIGFPE]: "floating point exception",
  [SIGNALS.SIGKILL]: "killed",
  [SIGNALS.SIGSEGV]: "segmentation fault",
  [SIGNALS.SIGPIPE]: "broken pipe",
  [SIGNALS.SIGTERM]: "terminated",
  [SIGNALS.SIGXCPU]: "CPU time limit exceeded",
  [SIGNALS.SIGXFSZ]: "file size limit exceeded",
  [SIGNALS.SIGSYS]: "bad system call",
};

/** A signal that ended a program, for people: `signalInWords(31)` is `"SIGSYS (bad system call)"`. */
export function signalInWords(number: number): string {
  const words = DEATHS[number];
  return words === undefined ? signalName(number) : `${signalName(number)} (${words})`;
}

const SIG_BLOCK = 0;
const SIG_SETMASK = 2;

/** A set of signals: a word of 64 bits, of which the lowest stands for signal 1. */
export type SignalMask = BigUint64Array;

/** Every signal that can be caught, but some. */
export function allSignals({ but }: { but: readonly number[] }): SignalMask {
  const [left] = signalMask([SIGNALS.SIGKILL, SIGNALS.SIGSTOP, ...but]);
  return BigUint64Array.of(~(left as bigint));
}

/** The set of some signals. */
export function signalMask(signals: readonly number[]): SignalMask {
  let mask = 0n;
  for (const signal of signals) mask |= 1n << BigInt(signal - 1);
  return BigUint64Array.of(mask);
}

/** Blocks signals, so that {@link signalfd} can read them. @returns the mask before, for {@link setSignalMask} */
export function blockSignals(signals: SignalMask): SignalMask {
  const before = new BigUint64Array(1);
  check(syscall("rt_sigprocmask", SIG_BLOCK, signals, before, 8), "rt_sigprocmask");
  return before;
}

/** Sets the whole signal mask: one from {@link blockSignals}, or an empty one. */
export function setSignalMask(mask: SignalMask = new BigUint64Array(1)): void {
  check(syscall("rt_sigprocmask", SIG_SETMASK, mask, 0, 8), "rt_sigprocmask");
}

/** A descriptor, non-blocking, from which blocked signals are read. @see signalfd(2) */
export function signalfd(signals: SignalMask): Fd {
  return new Fd(check(syscall("signalfd", -1, signals, O.CLOEXEC | O.NONBLOCK), "signalfd"));
}

/** The next pending signal's number, or `null` when none is pending. */
export function readSignal(fd: number): number | null {
  const info = new Uint32Array(32); // struct signalfd_siginfo; ssi_signo comes first
  const length = syscall("read", fd, info, info.byteLength);
  return length === info.byteLength ? (info[0] as number) : null;
}

/** Gives one signal its default disposition. @see sigaction(2) */
export function defaultSignal(signal: number): void {
  const SIG_DFL = new BigUint64Array(4); // struct kernel_sigaction: handler, flags, restorer, mask
  check(syscall("rt_sigaction", signal, SIG_DFL, 0, 8), () => `sigaction ${signalName(signal)} to its default`);
}

/** The signals that this process ignores, as numbers; `null` until somebody has looked. */
let ignored: readonly number[] | null = null;

/** Notes which signals this process ignores. @param status the text of `/proc/self/status` */
export function noteIgnoredSignals(status: string): void {
  ignored = ignoredSignals(status);
}

/** The signals that a process ignores; all, where that is not said. @param status the text of `/proc/<pid>/status`: line `SigIgn` */
export function ignoredSignals(status: string): number[] {
  const mask = BigInt(`0x${statusField(status, "SigIgn") ?? "ffffffffffffffff"}`);
  const signals: number[] = [];
  for (let rest = mask, signal = 1; rest !== 0n; rest >>= 1n, signal++) if ((rest & 1n) === 1n) signals.push(signal);
  return signals;
}

/**
 * Gives every signal its default disposition for the program to be executed. An execve does so by itself, but for those that are
 * ignored, as the engine ignores SIGPIPE.
 * @see sigaction(2), execve(2)
 */
export function resetSignalHandlers(): void {
  const SIG_DFL = new BigUint64Array(4); // struct kernel_sigaction: handler, flags, restorer, mask
  if (ignored !== null) {
    for (const signal of ignored) syscall("rt_sigaction", signal, SIG_DFL, 0, 8);
    return;
  }
  // Of the two that cannot be caught the kernel says EINVAL.
  for (let signal = 1; signal <= SIGRTMAX; signal++) syscall("rt_sigaction", signal, SIG_DFL, 0, 8);
}
