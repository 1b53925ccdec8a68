/** What filesystem a descriptor is on. */
import { check } from "./error.ts";
import { syscall } from "./ffi.ts";

/** `f_type` of the filesystems that are treated in their own way. @see linux/magic.h */
export const FILESYSTEM = {
  proc: 0x9fa0,
  sysfs: 0x62656572,
} as const;

/** What {@link fstatfs} tells. */
export interface FilesystemStatus {
  /** `f_type`, see {@link FILESYSTEM}. */
  type: number;
  /** `ST_*` flags of the mount: 1 ro, 2 nosuid, 4 nodev, 8 noexec, 1024 noatime, 2048 nodiratime, 4096 relatime. */
  flags: number;
}

/**
 * The filesystem and the mount that a descriptor is open on; `O_PATH` descriptors too.
 * @throws {SyscallError} `fstatfs`
 * @see statfs(2)
 */
export function fstatfs(fd: number): FilesystemStatus {
  // struct statfs of the 64-bit machines: type, bsize, blocks, bfree, bavail, files, ffree, fsid, namelen, frsize, flags, spare[4]
  const memory = new BigInt64Array(15);
  check(syscall("fstatfs", fd, memory), "fstatfs");
  return { type: Number(memory[0]), flags: Number(memory[10]) };
}
