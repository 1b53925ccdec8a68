/** File descriptors that close themselves. */
import { check } from "./error.ts";
import { syscall } from "./ffi.ts";

/** `open(2)` flags by Node's name of the processor. @see linux/include/uapi/asm-generic/fcntl.h, arch/arm64/include/uapi/asm/fcntl.h */
export function openFlags(cpu: string) {
  const [directory, noFollow] = cpu === "arm64" ? [0o40000, 0o100000] : [0o200000, 0o400000];
  return {
    RDONLY: 0,
    WRONLY: 1,
    RDWR: 2,
    CREAT: 0o100,
    EXCL: 0o200,
    NOCTTY: 0o400,
    TRUNC: 0o1000,
    APPEND: 0o2000,
    NONBLOCK: 0o4000,
    DIRECTORY: directory,
    NOFOLLOW: noFollow,
    CLOEXEC: 0o2000000,
    SYNC: 0o4010000,
    PATH: 0o10000000,
    /** A file without a name in a directory. */
    TMPFILE: 0o20000000 | directory,
  } as const;
}

/** Those of this machine. */
export const O = openFlags(process.arch);

/** The first descriptor that is no standard stream. */
export const FIRST_FD = 3;

/** "The current directory" where a call takes a directory's descriptor. */
export const AT_FDCWD = -100;

/** `*at` flags, see the manual page of each call. */
export const AT = {
  SYMLINK_NOFOLLOW: 0x100,
  REMOVEDIR: 0x200,
  EACCESS: 0x200,
  SYMLINK_FOLLOW: 0x400,
  NO_AUTOMOUNT: 0x800,
  EMPTY_PATH: 0x1000,
  RECURSIVE: 0x8000,
} as const;

/** An open file descriptor. Declared with `using`, it is closed at the end of its block. */
export class Fd implements Disposable {
  #closed = false;

  constructor(readonly number: number) {}

  /** A path that names what the descriptor is open on, for calls that take no descriptor. */
  get procPath(): string {
    return `/proc/self/fd/${this.number}`;
  }

  /** Closes the descriptor; closing it twice is harmless. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    syscall("close", this.number);
  }

  /** The same descriptor as a number that nobody closes any more but the caller. */
  release(): number {
    this.#closed = true;
    return this.number;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Opens a path, close-on-exec.
 * @param directory descriptor that a relative path starts from
 * @throws {SyscallError} `open`
 * @see openat(2)
 */
export function open(path: string, flags: number, mode = 0, directory: number = AT_FDCWD): Fd {
  return new Fd(check(syscall("openat", directory, path, flags | O.CLOEXEC, mode), () => `open ${path}`));
}

/** Descriptors kept for later: closing them makes sure that as many can be opened. */
export class Reserve implements Disposable {
  readonly #fds: Fd[] = [];

  /** @throws {SyscallError} EMFILE when there are not as many */
  constructor(count: number) {
    try {
      while (this.#fds.length < count) this.#fds.push(open("/", O.PATH));
    } catch (error) {
      this.release();
      throw error;
    }
  }

  release(): void {
    for (const fd of this.#fds) fd.close();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** Sets or clears close-on-exec. @see fcntl(2), F_SETFD */
export function setCloseOnExec(fd: number, on: boolean): void {
  check(syscall("fcntl", fd, 2, on ? 1 : 0), `fcntl F_SETFD of descriptor ${fd}`);
}

/**
 * Makes every descriptor from `first` on close at the next exec, without closing any now.
 * @see close_range(2); CLOSE_RANGE_CLOEXEC since Linux 5.11
 */
export function closeOnExecFrom(first: number): void {
  check(syscall("close_range", first, 0xffffffff, 4), `close_range from ${first}`);
}

/** Duplicates a descriptor onto a given number, replacing what is there. @see dup3(2) */
export function duplicateOnto(fd: number, number: number, closeOnExec = false): void {
  if (fd === number) return setCloseOnExec(fd, closeOnExec);
  check(syscall("dup3", fd, number, closeOnExec ? O.CLOEXEC : 0), `dup3 ${fd} onto ${number}`);
}

/** Another descriptor of the same open file, close-on-exec. @see fcntl(2), F_DUPFD_CLOEXEC */
export function duplicate(fd: Fd): Fd {
  return duplicateAbove(fd, FIRST_FD);
}

/** The same, with the first free number from `least` on. */
export function duplicateAbove({ number }: Fd, least: number): Fd {
  const F_DUPFD_CLOEXEC = 1030;
  return new Fd(check(syscall("fcntl", number, F_DUPFD_CLOEXEC, least), () => `duplicate descriptor ${number}`));
}
