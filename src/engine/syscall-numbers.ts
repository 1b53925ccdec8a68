/**
 * Numbers of the system calls that the machine code of this folder makes; on aarch64 that is the launcher only.
 *
 * @see syscall_64.tbl, asm-generic/unistd.h
 */
const x86_64 = {
  arch_prctl: 158,
  brk: 12,
  close_range: 436,
  execve: 59,
  execveat: 322,
  exit_group: 231,
  getegid: 108,
  geteuid: 107,
  getgid: 104,
  getpid: 39,
  getuid: 102,
  kill: 62,
  lseek: 8,
  madvise: 28,
  mincore: 27,
  mmap: 9,
  mount_setattr: 442,
  mprotect: 10,
  munmap: 11,
  open_tree: 428,
  openat: 257,
  ppoll: 271,
  pread64: 17,
  prlimit64: 302,
  readlinkat: 267,
  rt_sigaction: 13,
  write: 1,
} as const;

const aarch64 = {
  close_range: 436,
  execveat: 281,
  exit_group: 94,
  getegid: 177,
  geteuid: 175,
  getgid: 176,
  getuid: 174,
  lseek: 62,
  madvise: 233,
  mincore: 232,
  mmap: 222,
  mount_setattr: 442,
  open_tree: 428,
  openat: 56,
  prlimit64: 261,
  readlinkat: 78,
  write: 64,
} as const;

/** A system call that all assemblers know. */
export type SyscallName = keyof typeof aarch64;
/** One that the assembler for x86_64 knows. */
export type X86SyscallName = keyof typeof x86_64;

/** Both tables. */
export const SYSCALL_NUMBERS = { x86_64, aarch64 } as const;
