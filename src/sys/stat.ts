/** The status of files: what statx(2) tells of them. */

import { check, orNull } from "./error.ts";
import { AT, AT_FDCWD } from "./fd.ts";
import { syscall } from "./ffi.ts";

const S_IFMT = 0o170000;
const STATX_BASIC_STATS = 0x7ff;

/** Types of files, in the bits `S_IFMT` of a mode. @see inode(7) */
export const FILE_TYPE = {
  fifo: 0o010000,
  characterDevice: 0o020000,
  directory: 0o040000,
  blockDevice: 0o060000,
  regular: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
} as const;

/** What statx(2) tells. */
export interface Stat {
  /** Type and permissions. */
  mode: number;
  uid: number;
  gid: number;
  /** How many names it has; 0 once it has been removed. */
  links: number;
  /** Bytes. */
  size: number;
  ino: bigint;
  /** Device numbers, as makedev(3) composes them. */
  dev: number;
  rdev: number;
  /** Times of the last access and change of contents, in nanoseconds since 1970. */
  atime: bigint;
  mtime: bigint;
}

/** Whether a file is of a type. */
export function isType({ mode }: Pick<Stat, "mode">, type: keyof typeof FILE_TYPE): boolean {
  return (mode & S_IFMT) === FILE_TYPE[type];
}

export function isDirectory(stat: Pick<Stat, "mode">): boolean {
  return isType(stat, "directory");
}

/** Whether two are the same file. */
export function isSameFile(one: Stat, other: Stat): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}

/** What a path leads to. @throws {SyscallError} `stat` */
export function stat(path: string): Stat {
  return statx(AT_FDCWD, path, 0, () => `stat ${path}`);
}

/** What a path leads to; `null` when there is nothing (ENOENT, ENOTDIR). @throws {SyscallError} `stat` */
export function findStat(path: string): Stat | null {
  return orNull(() => stat(path));
}

/**
 * What is at a path, a symlink itself; `null` when there is nothing.
 * @param directory descriptor that a relative path starts from
 * @throws {SyscallError} `stat`
 */
export function findLinkStat(path: string, directory: number = AT_FDCWD): Stat | null {
  return orNull(() => statx(directory, path, AT.SYMLINK_NOFOLLOW, () => `stat ${path}`));
}

/** What a descriptor is open on; `O_PATH` will do. @throws {SyscallError} `stat` */
export function fstat(fd: number): Stat {
  return statx(fd, "", AT.EMPTY_PATH, () => `stat descriptor ${fd}`);
}

function statx(fd: number, path: string, flags: number, what: () => string): Stat {
  const words = new Uint32Array(64);
  check(syscall("statx", fd, path, flags, STATX_BASIC_STATS, words), what);
  return new StatxAnswer(words);
}

/** What a path below a directory leads to, the path as memory with a NUL at its end. @returns `-errno` where there is nothing @see statx(2) */
export function statxOf(directory: number, path: Uint8Array, flags: number): Stat | number {
  const words = new Uint32Array(64);
  const result = syscall("statx", directory, path, flags, STATX_BASIC_STATS, words);
  return result < 0 ? result : new StatxAnswer(words);
}

/** struct statx, read as it is asked for: mostly that is one member or two. */
class StatxAnswer implements Stat {
  constructor(private readonly words: Uint32Array) {}

  get mode(): number {
    return this.#word(28) & 0xffff;
  }

  get uid(): number {
    return this.#word(20);
  }

  get gid(): number {
    return this.#word(24);
  }

  get size(): number {
    return this.#word(40) + this.#word(44) * 2 ** 32;
  }

  get ino(): bigint {
    return this.#long(32);
  }

  get dev(): number {
    return makeDevice(this.#word(136), this.#word(140));
  }

  get rdev(): number {
    return makeDevice(this.#word(128), this.#word(132));
  }

  get atime(): bigint {
    return this.#time(64);
  }

  get mtime(): bigint {
    return this.#time(112);
  }

  get links(): number {
    return this.#word(16);
  }

  #word(offset: number): number {
    return this.words[offset / 4] as number;
  }

  #long(offset: number): bigint {
    return BigInt(this.#word(offset)) | (BigInt(this.#word(offset + 4)) << 32n);
  }

  /** Seconds and nanoseconds. */
  #time(offset: number): bigint {
    return BigInt.asIntN(64, this.#long(offset)) * 1_000_000_000n + BigInt(this.#word(offset + 8));
  }
}

/** The number of a device. @see makedev(3) */
export function makeDevice(major: number, minor: number): number {
  return (
    Math.floor(major / 2 ** 12) * 2 ** 44 +
    Math.floor(minor / 2 ** 8) * 2 ** 20 +
    (major % 2 ** 12) * 2 ** 8 +
    (minor % 2 ** 8)
  );
}

/** @see makedev(3) */
export function majorOf(device: number): number {
  return Math.floor(device / 2 ** 44) * 2 ** 12 + (Math.floor(device / 2 ** 8) % 2 ** 12);
}

/** @see makedev(3) */
export function minorOf(device: number): number {
  return (Math.floor(device / 2 ** 20) % 2 ** 24) * 2 ** 8 + (device % 2 ** 8);
}
