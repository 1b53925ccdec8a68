/** Mounting one open file on another. */
import { check } from "./error.ts";
import { AT, Fd, O } from "./fd.ts";
import { syscall } from "./ffi.ts";

const OPEN_TREE_CLONE = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH = 0x40;

/**
 * Binds what one descriptor is open on over what another is open on. Needs no /proc, which a container may not have, or
 * may have filled itself.
 * @param what names both in the error: `the terminal on /dev/console`
 * @throws {SyscallError} `bind <what>`: ENOTDIR when one is a directory and the other is not
 * @see open_tree(2), move_mount(2); Linux 5.2
 */
export function bindDescriptor(source: Fd, target: Fd, what: string): void {
  const flags = OPEN_TREE_CLONE | O.CLOEXEC | AT.EMPTY_PATH;
  using tree = new Fd(check(syscall("open_tree", source.number, "", flags), () => `bind ${what} (open_tree)`));
  const both = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  check(syscall("move_mount", tree.number, "", target.number, "", both), () => `bind ${what} (move_mount)`);
}
