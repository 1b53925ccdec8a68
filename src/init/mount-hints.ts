/** The likely causes of failed mounts, in words that are added to the error. */

import { SyscallError } from "../sys/error.ts";
import { exists } from "../sys/file.ts";
import { fsconfigSet, fscontextMessages, fsopen } from "../sys/filesystem-context.ts";

/** What was being done. */
export type MountAttempt =
  | { kind: "mount"; source: string; fstype: string; data: string }
  | { kind: "bind"; source: string };

/** The error, with the likely cause in parentheses where one is known. */
export function withHint(error: unknown, attempt: MountAttempt): unknown {
  if (!(error instanceof SyscallError)) return error;
  const hint = hintFor(error, attempt);
  if (hint !== null) error.message += ` (${hint})`;
  return error;
}

function hintFor({ code }: SyscallError, attempt: MountAttempt): string | null {
  switch (attempt.kind) {
    case "bind":
      return bindHint(code, attempt.source);
    case "mount":
      return filesystemHint(code, attempt);
  }
}

function bindHint(code: string, source: string): string | null {
  switch (code) {
    case "ENOENT":
      return "the source does not exist";
    case "EACCES":
      return "the container's root may not go through all directories on the way to the source";
    case "EINVAL":
      return exists(source) ? "the source is on a mount that is unbindable, or has locked mounts below it" : null;
    default:
      return null;
  }
}

function filesystemHint(code: string, { fstype, data }: { fstype: string; data: string }): string | null {
  switch (code) {
    case "ENODEV":
      if (fstype === "" || fstype === "none") return "what is no filesystem needs one of the options bind and rbind";
      return `this kernel does not know the filesystem ${fstype}`;
    case "EPERM":
      return "not permitted in this user namespace, or its network, pid, ipc or cgroup namespace is another's";
    case "EINVAL":
      return rejectedOption(fstype, data);
    default:
      return null;
  }
}

/** mount(2) says EINVAL and no more; a filesystem context says which option it is. */
function rejectedOption(fstype: string, data: string): string | null {
  using context = fsopen(fstype);
  if (context === null) return null;
  for (const option of data.split(",").filter((part) => part !== "")) {
    const equals = option.indexOf("=");
    const [key, value] = equals < 0 ? [option, null] : [option.slice(0, equals), option.slice(equals + 1)];
    if (!fsconfigSet(context, key, value)) return [`option ${option}`, ...fscontextMessages(context)].join(": ");
  }
  return null;
}
