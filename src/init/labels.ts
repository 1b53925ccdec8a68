/** The labels that security modules give a process: from its next exec on, and to the keyrings that it makes. */

import { ERRNO } from "../sys/errno.ts";
import { errnoText, SyscallError } from "../sys/error.ts";
import { O } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { readSome } from "../sys/io.ts";
import { openProcfs } from "../sys/path.ts";
import { decode, encode } from "../sys/text.ts";

/** The files in `/proc/self/attr`. @see proc(5) */
export interface Attributes {
  /** @returns what a file says, or the negative errno */
  read(name: string): string | number;
  /** @returns 0, or the negative errno */
  write(name: string, value: string): number;
}

/** This process's own, in a procfs that is certain to be one. */
export const ownAttributes: Attributes = {
  read: (name) =>
    withFile(name, O.RDONLY, (fd) => {
      const memory = new Uint8Array(4096);
      return decode(memory.subarray(0, readSome(fd, memory) ?? 0));
    }),
  write: (name, value) =>
    withFile(name, O.WRONLY, (fd) => {
      const bytes = encode(value);
      const written = syscall("write", fd, bytes, bytes.byteLength);
      return written < 0 ? written : 0;
    }),
};

function withFile<T>(name: string, flags: number, use: (fd: number) => T): T | number {
  try {
    using file = openProcfs(`self/attr/${name}`, flags);
    return use(file.number);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return -error.errno;
  }
}

/**
 * Has this process confined by an AppArmor profile from the next exec on.
 *
 * Under no_new_privs the kernel lets a confined process only become more confined: the profile is stacked then on the one that
 * the runtime itself has. `unconfined` is what a process is where there is no AppArmor.
 *
 * @param noNewPrivileges whether no_new_privs will be set, or is
 * @throws {Error} `apparmor failed to apply profile: …`
 * @see Linux, security/apparmor/lsm.c, apparmor_setprocattr
 */
export function confineByAppArmor(profile: string, noNewPrivileges: boolean, attributes = ownAttributes): void {
  const fail = (why: string): never => {
    throw new Error(`apparmor failed to apply profile: ${why}`);
  };
  // The file that several security modules share came first; AppArmor has its own since Linux 5.8. Of the shared one another
  // module can be the owner, which then refuses the word.
  let directory = "apparmor/";
  let current = attributes.read("apparmor/current");
  if (current === -ERRNO.ENOENT) {
    directory = "";
    current = attributes.read("current");
  }
  if (typeof current === "number") {
    if (profile === "unconfined") return;
    return fail(`${JSON.stringify(profile)}: AppArmor is not enabled in this kernel (${errnoText(-current)})`);
  }
  const stacks = noNewPrivileges && current.trim() !== "unconfined";
  const result = attributes.write(`${directory}exec`, `${stacks ? "stack" : "exec"} ${profile}`);
  if (result === 0) return;
  if (result === -ERRNO.ENOENT) fail(`the profile ${JSON.stringify(profile)} is not loaded`);
  if (result === -ERRNO.EINVAL) fail(`${JSON.stringify(profile)}: invalid name, or AppArmor is not enabled`);
  fail(`${JSON.stringify(profile)}: ${errnoText(-result)}`);
}

/**
 * Gives this process an SELinux label from the next exec on (`exec`), or the keyrings that it makes until then (`keycreate`).
 * @throws {Error} `selinux failed to set …`
 */
export function setSelinuxLabel(file: "exec" | "keycreate", label: string, attributes = ownAttributes): void {
  const result = attributes.write(file, label);
  if (result === 0) return;
  const what = file === "exec" ? "the label of the process" : "the label of its keyring";
  const why =
    result === -ERRNO.EINVAL ? "not a label that the policy knows, or SELinux is not enabled" : errnoText(-result);
  throw new Error(`selinux failed to set ${what} (/proc/self/attr/${file}) to ${JSON.stringify(label)}: ${why}`);
}
