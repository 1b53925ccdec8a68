/**
 * Numbers of the system calls that are made without a function of libc, see `prototypes.ts`. From 424 on they are the same everywhere.
 *
 * @see linux/arch/x86/entry/syscalls/syscall_64.tbl, linux/include/uapi/asm-generic/unistd.h
 */
import type { KernelName } from "./prototypes.ts";

const isArm = process.arch === "arm64";

export const KERNEL_NUMBERS = {
  bpf: isArm ? 280 : 321,
  clone3: 435,
  close_range: 436,
  execveat: isArm ? 281 : 322,
  faccessat2: 439,
  fsconfig: 431,
  fsmount: 432,
  fsopen: 430,
  getcwd: isArm ? 17 : 79,
  ioprio_set: isArm ? 30 : 251,
  keyctl: isArm ? 219 : 250,
  mknodat: isArm ? 33 : 259,
  mount_setattr: 442,
  move_mount: 429,
  open_tree: 428,
  openat2: 437,
  pidfd_getfd: 438,
  pidfd_open: 434,
  pidfd_send_signal: 424,
  pivot_root: isArm ? 41 : 155,
  rt_sigaction: isArm ? 134 : 13,
  rt_sigprocmask: isArm ? 135 : 14,
  sched_setattr: isArm ? 274 : 314,
  seccomp: isArm ? 277 : 317,
  set_mempolicy: isArm ? 237 : 238,
} as const satisfies Record<KernelName, number>;
