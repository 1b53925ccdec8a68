/** Filesystems set up by descriptors, before anything is mounted. */
import { check } from "./error.ts";
import { Fd } from "./fd.ts";
import { syscall } from "./ffi.ts";
import { attributeBits, type MountAttribute } from "./mount.ts";

/**
 * A context in which a filesystem is set up for mounting.
 * @returns `null` when this kernel or user may not, or does not know the filesystem
 * @see fsopen(2), Linux 5.2
 */
export function fsopen(fstype: string): Fd | null {
  const result = fsopenResult(fstype);
  return result < 0 ? null : new Fd(result);
}

/** {@link fsopen}. @returns the descriptor's number or `-errno` */
export function fsopenResult(fstype: string): number {
  const FSOPEN_CLOEXEC = 1;
  return syscall("fsopen", fstype, FSOPEN_CLOEXEC);
}

/** Gives a filesystem context one option: `key=value`, or `key` alone. @returns whether it took it */
export function fsconfigSet(context: Fd, key: string, value: string | null): boolean {
  const FSCONFIG_SET_FLAG = 0;
  const FSCONFIG_SET_STRING = 1;
  const command = value === null ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
  return syscall("fsconfig", context.number, command, key, value, 0) >= 0;
}

/** Makes the filesystem that a context describes. @returns whether it could */
export function fsconfigCreate(context: Fd): boolean {
  return fsconfigCreateResult(context) >= 0;
}

/** {@link fsconfigCreate}. @returns 0 or `-errno` */
export function fsconfigCreateResult(context: Fd): number {
  const FSCONFIG_CMD_CREATE = 6;
  return syscall("fsconfig", context.number, FSCONFIG_CMD_CREATE, null, null, 0);
}

/** What the kernel says about the last failures of a filesystem context, such as `tmpfs: Unknown parameter 'x'`. */
export function fscontextMessages(context: Fd): string[] {
  const memory = Buffer.alloc(4096);
  const messages: string[] = [];
  for (;;) {
    const length = syscall("read", context.number, memory, memory.byteLength);
    if (length <= 0) return messages;
    // A letter for the severity and a space come first.
    messages.push(memory.toString("utf8", 0, length).trim().slice(2));
  }
}

/** The mount of a filesystem context, attached nowhere. @returns `null` when the kernel refuses */
export function fsmount(context: Fd, attributes: readonly MountAttribute[]): Fd | null {
  const result = fsmountResult(context, attributes);
  return result < 0 ? null : new Fd(result);
}

/** {@link fsmount}. @returns the descriptor's number or `-errno` */
export function fsmountResult(context: Fd, attributes: readonly MountAttribute[]): number {
  const FSMOUNT_CLOEXEC = 1;
  return syscall("fsmount", context.number, FSMOUNT_CLOEXEC, attributeBits(attributes));
}

/** An empty filesystem in memory, mounted nowhere. @throws {SyscallError} */
export function emptyTmpfs(attributes: readonly MountAttribute[] = []): Fd {
  using context = new Fd(check(fsopenResult("tmpfs"), "fsopen tmpfs"));
  check(fsconfigCreateResult(context), "make a tmpfs");
  return new Fd(check(fsmountResult(context, attributes), "fsmount tmpfs"));
}
