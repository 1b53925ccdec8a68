/** Carries out the namespace steps. */

import type { NamespaceStep } from "../plan/namespaces.ts";
import type { Handlers, OfKind } from "../plan/step.ts";
import { check } from "../sys/error.ts";
import { O, open } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { writeFile } from "../sys/file.ts";
import { setns, unshare } from "../sys/namespace.ts";
import { prctl } from "../sys/process.ts";
import type { InitContext } from "./context.ts";

export const namespaceHandlers: Handlers<NamespaceStep, InitContext> = {
  "become-root": becomeRoot,
  unshare: ({ type }) => unshare([type]),
  "new-time-namespace": ({ offsets }) => {
    unshare(["time"]);
    const lines = offsets.map(({ clock, seconds, nanoseconds }) => `${clock} ${seconds} ${nanoseconds}\n`);
    // One write with all clocks: the kernel takes the offsets only before the first process enters. time_namespaces(7)
    if (lines.length > 0) writeFile("/proc/self/timens_offsets", lines.join(""));
    using entered = open("/proc/self/ns/time_for_children", O.RDONLY);
    setns(entered.number, ["time"]);
  },
};

/** Becomes somebody in the user namespace that this process has come into. @throws {SyscallError} */
export function becomeRoot({ uid, gid, dumpable }: OfKind<NamespaceStep, "become-root">): void {
  check(syscall("setresgid", gid, gid, gid), () => `setresgid ${gid} (is it mapped in the user namespace?)`);
  check(syscall("setresuid", uid, uid, uid), () => `setresuid ${uid} (is it mapped in the user namespace?)`);
  // A change of user makes a process undumpable, and its files in /proc root's of the parent namespace.
  if (dumpable) prctl("SET_DUMPABLE", 1);
}
