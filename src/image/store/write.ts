/** Writing to descriptors. */
import { check } from "../../sys/error.ts";
import { uninterrupted } from "../../sys/io.ts";

/** Writes all of it. @throws {SyscallError} `write <path>` */
export function writeAllTo(fd: number, bytes: Uint8Array, path: string): void {
  for (let rest = bytes; rest.byteLength > 0; ) {
    rest = rest.subarray(check(uninterrupted("write", fd, rest), () => `write ${path}`));
  }
}
