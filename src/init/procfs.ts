/** What is set by writing to files of procfs: kernel parameters, and labels of security modules. */

import type { Errno } from "../sys/errno.ts";
import { check, hasErrno } from "../sys/error.ts";
import { type Fd, O } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { openProcfs } from "../sys/path.ts";
import { encode } from "../sys/text.ts";

/** Writes a kernel parameter. @param path below the procfs */
export function writeSysctl(path: string, value: string): void {
  writeProcfs(path, value);
}

/**
 * Has this process confined by an AppArmor profile from the next exec on.
 * @throws {Error} `apparmor failed to apply profile: …`
 */
export function writeAppArmorProfile(profile: string): void {
  try {
    // The file that several security modules share came first; AppArmor has its own since Linux 5.8.
    if (!tryWrite("self/attr/apparmor/exec", `exec ${profile}`, "ENOENT"))
      writeProcfs("self/attr/exec", `exec ${profile}`);
  } catch (error) {
    throw new Error(`apparmor failed to apply profile: ${(error as Error).message}`);
  }
}

/** Gives this process an SELinux label from the next exec on. @throws {SyscallError} */
export function writeSelinuxLabel(label: string): void {
  writeProcfs("self/attr/exec", label);
}

function tryWrite(path: string, value: string, ...tolerated: Errno[]): boolean {
  try {
    writeProcfs(path, value);
    return true;
  } catch (error) {
    if (hasErrno(error, ...tolerated)) return false;
    throw error;
  }
}

function writeProcfs(path: string, value: string): void {
  using file: Fd = openProcfs(path, O.WRONLY);
  const bytes = encode(value);
  const result = syscall("write", file.number, bytes, bytes.byteLength);
  check(result, () => `write ${JSON.stringify(value)} to /proc/${path}`);
}
