/** Files that are in memory only. @see memfd_create(2) */
import { check } from "./error.ts";
import { Fd } from "./fd.ts";
import { syscall } from "./ffi.ts";
import { uninterrupted } from "./io.ts";
import { fstat } from "./stat.ts";

/** Makes an empty one, close-on-exec. @param name seen in `/proc/self/fd` @throws {SyscallError} `memfd_create` */
export function memoryFile(name: string): Fd {
  const MFD_CLOEXEC = 1;
  return new Fd(check(syscall("memfd_create", name, MFD_CLOEXEC), "memfd_create"));
}

/** An empty one with contents, to be read from its beginning. @throws {SyscallError} `memfd_create`, `write`, `lseek` */
export function memoryFileOf(name: string, contents: Uint8Array): Fd {
  const file = memoryFile(name);
  for (let at = 0; at < contents.length; ) {
    at += check(uninterrupted("write", file.number, contents.subarray(at)), "write");
  }
  check(syscall("lseek", file.number, 0, 0), "lseek");
  return file;
}

/** All that a file has, from its beginning. @throws {SyscallError} `read` */
export function readMemory(file: Fd): Uint8Array {
  const SEEK_SET = 0;
  check(syscall("lseek", file.number, 0, SEEK_SET), "lseek");
  const contents = new Uint8Array(fstat(file.number).size);
  for (let at = 0; at < contents.length; ) {
    const count = check(uninterrupted("read", file.number, contents.subarray(at)), "read");
    if (count === 0) return contents.subarray(0, at);
    at += count;
  }
  return contents;
}
