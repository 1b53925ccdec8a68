/** Kernel parameters, which are set by writing to files of procfs. */

import { check } from "../sys/error.ts";
import { type Fd, O } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { openProcfs } from "../sys/path.ts";
import { encode } from "../sys/text.ts";

/** Writes a kernel parameter. @param path below the procfs */
export function writeSysctl(path: string, value: string): void {
  writeProcfs(path, value);
}

function writeProcfs(path: string, value: string): void {
  using file: Fd = openProcfs(path, O.WRONLY);
  const bytes = encode(value);
  const result = syscall("write", file.number, bytes, bytes.byteLength);
  check(result, () => `write ${JSON.stringify(value)} to /proc/${path}`);
}
