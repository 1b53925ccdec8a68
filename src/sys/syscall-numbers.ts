/**
 * Numbers of the system calls that are made without a function of libc, see `prototypes.ts`, by architecture.
 *
 * @see linux/arch/x86/entry/syscalls/syscall_64.tbl, linux/include/uapi/asm-generic/unistd.h
 */
import type { KernelName } from "./prototypes.ts";

/** From 424 on they are the same everywhere. */
const everywhere = {
  clone3: 435,
  close_range: 436,
  faccessat2: 439,
  fsconfig: 431,
  fsmount: 432,
  fsopen: 430,
  mount_setattr: 442,
  move_mount: 429,
  open_tree: 428,
  openat2: 437,
  pidfd_getfd: 438,
  pidfd_open: 434,
  pidfd_send_signal: 424,
} as const;

type Numbers = Readonly<Record<KernelName, number>>;

/** The numbers, by Node's name of the processor. */
export const NUMBERS_BY_CPU = {
  x64: {
    ...everywhere,
    bpf: 321,
    execveat: 322,
    getcwd: 79,
    ioprio_set: 251,
    keyctl: 250,
    mknodat: 259,
    pivot_root: 155,
    rt_sigaction: 13,
    rt_sigprocmask: 14,
    sched_setattr: 314,
    seccomp: 317,
    set_mempolicy: 238,
  },
  arm64: {
    ...everywhere,
    bpf: 280,
    execveat: 281,
    getcwd: 17,
    ioprio_set: 30,
    keyctl: 219,
    mknodat: 33,
    pivot_root: 41,
    rt_sigaction: 134,
    rt_sigprocmask: 135,
    sched_setattr: 274,
    seccomp: 277,
    set_mempolicy: 237,
  },
} as const satisfies Record<string, Numbers>;

/** Those of this machine. */
export const KERNEL_NUMBERS: Numbers = NUMBERS_BY_CPU[process.arch === "arm64" ? "arm64" : "x64"];
