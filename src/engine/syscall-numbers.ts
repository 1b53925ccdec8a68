/** Numbers of the system calls that the machine code of this folder makes. @see syscall_64.tbl, asm-generic/unistd.h */
const x86_64 = {
  brk: 12,
  close_range: 436,
  execve: 59,
  execveat: 322,
  exit_group: 231,
  getpid: 39,
  kill: 62,
  lseek: 8,
  madvise: 28,
  mincore: 27,
  mmap: 9,
  mount_setattr: 442,
  mprotect: 10,
  open_tree: 428,
  openat: 257,
  ppoll: 271,
  prlimit64: 302,
  readlinkat: 267,
  rt_sigaction: 13,
  write: 1,
} as const;

/** A system call that an assembler knows. */
export type SyscallName = keyof typeof x86_64;

const aarch64: Readonly<Record<SyscallName, number>> = {
  brk: 214,
  close_range: 436,
  execve: 221,
  execveat: 281,
  exit_group: 94,
  getpid: 172,
  kill: 129,
  lseek: 62,
  madvise: 233,
  mincore: 232,
  mmap: 222,
  mount_setattr: 442,
  mprotect: 226,
  open_tree: 428,
  openat: 56,
  ppoll: 73,
  prlimit64: 261,
  readlinkat: 78,
  rt_sigaction: 134,
  write: 64,
};

/** Both tables. */
export const SYSCALL_NUMBERS: Readonly<Record<"x86_64" | "aarch64", Readonly<Record<SyscallName, number>>>> = {
  x86_64,
  aarch64,
};
