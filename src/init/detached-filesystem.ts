/** Filesystems that are mounted nowhere yet: what is done to one before it is attached, nobody can redirect. */

import type { MountStep } from "../plan/mount-steps.ts";
import type { OfKind } from "../plan/step.ts";
import { check } from "../sys/error.ts";
import { Fd } from "../sys/fd.ts";
import {
  fsconfigCreateResult,
  fsconfigSet,
  fscontextMessages,
  fsmountResult,
  fsopenResult,
} from "../sys/filesystem-context.ts";
import { MOUNT_ATTRIBUTES, type MountAttribute } from "../sys/mount.ts";

/**
 * Makes a filesystem.
 * @param mode the permissions of its root, octal, unless its options say others; `null` for the filesystem's own choice
 * @throws {SyscallError} `mount <fstype>`, when the kernel does not know or permit it
 * @throws {Error} when the filesystem refuses an option
 * @see fsopen(2), Linux 5.2
 */
export function makeFilesystem(step: OfKind<MountStep, "mount">, mode: string | null): Fd {
  const { fstype, source, flags, data } = step;
  const what = () => `mount ${fstype}`;
  using context = new Fd(check(fsopenResult(fstype), what));
  fsconfigSet(context, "source", source);
  if (mode !== null) fsconfigSet(context, "mode", mode);
  const attributes = flags.filter((flag) => flag in MOUNT_ATTRIBUTES) as MountAttribute[];
  // `silent` is about the kernel's log alone, and no option here.
  const ofFilesystem = flags.filter((flag) => !(flag in MOUNT_ATTRIBUTES) && flag !== "silent");
  for (const [key, value] of [...ofFilesystem.map((flag): Option => [flag, null]), ...splitData(data)]) {
    // mount(2) takes it for any filesystem; those that count no versions do not know it here.
    if (!fsconfigSet(context, key, value) && key !== "iversion") {
      throw new Error([`${fstype} refuses the option ${key}`, ...fscontextMessages(context)].join(": "));
    }
  }
  const said = () => [what(), ...fscontextMessages(context)].join(": ");
  check(fsconfigCreateResult(context), said);
  return new Fd(check(fsmountResult(context, attributes), said));
}

type Option = [key: string, value: string | null];

/**
 * The options in mount data. Commas in a value are quoted, as in `context="u:r:t:s0:c1,c2"`, or escaped, as in overlay's
 * `lowerdir=a\\,b`, which it takes escaped.
 * @see mount(8)
 */
export function splitData(data: string): Option[] {
  const parts = data.match(/(?:[^,"\\]|\\.|"[^"]*")+/g) ?? [];
  return parts.map((part) => {
    const equals = part.indexOf("=");
    return equals < 0 ? [part, null] : [part.slice(0, equals), part.slice(equals + 1).replace(/^"(.*)"$/, "$1")];
  });
}
