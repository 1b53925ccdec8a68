/** Opening a path under rules of how it may be resolved. */
import { ERRNO } from "./errno.ts";
import { O } from "./fd.ts";
import { syscall } from "./ffi.ts";

const { EAGAIN, EINTR } = ERRNO;

/** How `openat2(2)` resolves. */
export const RESOLVE = {
  NO_XDEV: 0x01,
  NO_MAGICLINKS: 0x02,
  NO_SYMLINKS: 0x04,
  BENEATH: 0x08,
  IN_ROOT: 0x10,
} as const;

/**
 * Opens a path, close-on-exec, under rules of resolution.
 * @param resolve {@link RESOLVE} bits
 * @returns the descriptor's number or `-errno`
 * @see openat2(2), Linux 5.6
 */
export function openat2(directory: number, path: string, flags: number, resolve: number): number {
  const how = new BigUint64Array([BigInt(flags | O.CLOEXEC), 0n, BigInt(resolve)]);
  for (;;) {
    const result = syscall("openat2", directory, path, how, how.byteLength);
    // EAGAIN: something was renamed or mounted while `..` was resolved.
    if (result !== -EAGAIN && result !== -EINTR) return result;
  }
}
