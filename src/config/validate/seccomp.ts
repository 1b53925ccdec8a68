/** `linux.seccomp`. */
import type { Seccomp } from "../types.ts";
import type { Subject } from "./subject.ts";

/** Actions that an errno, or data for the tracer, goes with. */
const RETURNING = ["SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"];
const NOTIFY = "SCMP_ACT_NOTIFY";

export function validateSeccomp(subject: Subject, seccomp: Seccomp): void {
  const at = "/linux/seccomp";
  const { defaultAction, defaultErrnoRet, listenerPath, listenerMetadata, syscalls = [] } = seccomp;
  if (defaultAction === NOTIFY) {
    subject.refuse(`${at}/defaultAction`, defaultAction, "SCMP_ACT_NOTIFY cannot be used as default action");
  }
  refuseErrno(subject, `${at}/defaultErrnoRet`, defaultErrnoRet, defaultAction);
  if (listenerMetadata && !listenerPath) {
    subject.refuse(`${at}/listenerMetadata`, listenerMetadata, "must not be set when listenerPath is not");
  }
  let entry = 0;
  for (const { names, action, errnoRet, args } of syscalls) {
    const here = `${at}/syscalls/${entry++}`;
    refuseErrno(subject, `${here}/errnoRet`, errnoRet, action);
    names.forEach((name, position) => {
      // Passed over as unknown, or cut short by a library of C, it would be another rule than the one written.
      if (name === "" || name.includes("\0"))
        subject.refuse(`${here}/names/${position}`, name, "must be a system call's name");
    });
    if (action === NOTIFY) refuseUnheard(subject, here, names, listenerPath);
    args?.forEach(({ index }, position) => {
      if (index > 5)
        subject.refuse(`${here}/args/${position}/index`, index, "must be from 0 to 5: a call has six arguments");
    });
  }
}

/** What libseccomp takes for an errno, less than the kernel's MAX_ERRNO; a tracer gets 16 bits. */
const MOST = { SCMP_ACT_ERRNO: 4094, SCMP_ACT_TRACE: 65535 } as const;

function refuseErrno(subject: Subject, at: string, errno: number | undefined, action: string): void {
  if (errno === undefined) return;
  const most = action in MOST ? MOST[action as keyof typeof MOST] : undefined;
  // Cut to its lowest bits, a large one would be another, or success.
  if (most !== undefined && errno > most) subject.refuse(at, errno, `must be at most ${most} for ${action}`);
  if (RETURNING.includes(action)) return;
  subject.refuse(at, errno, `goes with ${RETURNING.join(" and ")} only, not with ${action}`);
}

function refuseUnheard(subject: Subject, at: string, names: readonly string[], listenerPath: string | undefined): void {
  if (!listenerPath) subject.refuse(`${at}/action`, NOTIFY, "needs a listenerPath");
  // The init itself writes, to hand the descriptor over, when the filter is already loaded: nobody would ever answer.
  if (names.includes("write"))
    subject.refuse(`${at}/names`, undefined, "SCMP_ACT_NOTIFY cannot be used for the write syscall");
}
