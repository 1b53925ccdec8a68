/** Reading and writing as much as there is room for. */
import { ERRNO } from "./errno.ts";
import { check } from "./error.ts";
import { syscall } from "./ffi.ts";

const { EAGAIN, EINTR } = ERRNO;

/**
 * Reads what is there.
 * @returns the number of bytes, 0 at the end; `null` when the descriptor is non-blocking and has none now
 * @throws {SyscallError} `read`
 */
export function readSome(fd: number, memory: Uint8Array | Int32Array): number | null {
  return transfer("read", fd, memory);
}

/**
 * Writes what fits.
 * @returns the number of bytes; `null` when the descriptor is non-blocking and takes none now
 * @throws {SyscallError} `write`
 */
export function writeSome(fd: number, memory: Uint8Array | Int32Array): number | null {
  return transfer("write", fd, memory);
}

function transfer(name: "read" | "write", fd: number, memory: Uint8Array | Int32Array): number | null {
  const result = uninterrupted(name, fd, memory);
  return result === -EAGAIN ? null : check(result, () => `${name} descriptor ${fd}`);
}

/** Reads or writes, again as long as signals interrupt it. @returns the number of bytes, or the negative errno */
export function uninterrupted(name: "read" | "write", fd: number, memory: Uint8Array | Int32Array): number {
  let result: number;
  do result = syscall(name, fd, memory, memory.byteLength);
  while (result === -EINTR);
  return result;
}

/** Copies all that a file has, from its offset on, to another. @throws {SyscallError} `what` @see sendfile(2) */
export function copyAll(from: number, to: number, what: () => string): void {
  const LARGEST = 0x7ffff000;
  while (check(syscall("sendfile", to, from, 0, LARGEST), what) > 0);
}

/** How a descriptor's file is open: its access mode and status flags. @throws {SyscallError} @see fcntl(2), F_GETFL */
export function statusFlags(fd: number): number {
  const F_GETFL = 3;
  return check(syscall("fcntl", fd, F_GETFL, 0), () => `fcntl F_GETFL of descriptor ${fd}`);
}

/** Makes an open file non-blocking, or blocking again: for every descriptor of it, in whatever process. @see fcntl(2), F_SETFL */
export function setNonBlocking(fd: number, on = true): void {
  const F_SETFL = 4;
  const O_NONBLOCK = 0o4000;
  const flags = statusFlags(fd);
  check(
    syscall("fcntl", fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK),
    `fcntl F_SETFL of descriptor ${fd}`,
  );
}
