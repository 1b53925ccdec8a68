/** Terminals: their modes and size, and new pairs of them. */

import { check, SyscallError } from "./error.ts";
import { Fd, O, open } from "./fd.ts";
import { syscall } from "./ffi.ts";
import { fstat, isType } from "./stat.ts";

/** ioctl requests; asm-generic, so the same on x86_64 and aarch64. @see ioctl_tty(2) */
const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TIOCSCTTY = 0x540e;
const TIOCGWINSZ = 0x5413;
const TIOCSWINSZ = 0x5414;
const TIOCGPTPEER = 0x5441;
const TIOCSPTLCK = 0x40045431;
const TIOCGPTN = 0x80045430;

/** The kernel's struct termios: four words of flags, the line discipline, 19 control characters. */
const TERMIOS_BYTES = 36;
const IFLAG = 0;
const OFLAG = 4;
const CFLAG = 8;
const LFLAG = 12;
const CONTROL_CHARACTERS = 17;
const VTIME = 5;
const VMIN = 6;

/** Input: BRKINT, IGNBRK, PARMRK, ISTRIP, INLCR, IGNCR, ICRNL, IXON. @see termios(3), "Raw mode" */
const COOKED_INPUT = 0o2 | 0o1 | 0o10 | 0o40 | 0o100 | 0o200 | 0o400 | 0o2000;
/** Local: ECHO, ECHONL, ICANON, ISIG, IEXTEN. */
const COOKED_LOCAL = 0o10 | 0o100 | 0o2 | 0o1 | 0o100000;
const CSIZE_PARENB = 0o60 | 0o400;
const CS8 = 0o60;
const OPOST = 0o1;
const ONLCR = 0o4;

/** The modes of a terminal (struct termios), as {@link getModes} read them. */
export type TerminalModes = Buffer;

/** Whether a descriptor is a terminal. @see isatty(3) */
export function isTerminal(fd: number): boolean {
  return syscall("ioctl", fd, TCGETS, Buffer.alloc(TERMIOS_BYTES)) === 0;
}

/** @throws {SyscallError} `TCGETS`: ENOTTY when the descriptor is no terminal */
export function getModes(fd: number): TerminalModes {
  const modes = Buffer.alloc(TERMIOS_BYTES);
  check(syscall("ioctl", fd, TCGETS, modes), () => `read the modes of the terminal at descriptor ${fd} (TCGETS)`);
  return modes;
}

/** Sets a terminal's modes at once. @throws {SyscallError} `TCSETS` */
export function setModes(fd: number, modes: TerminalModes): void {
  check(syscall("ioctl", fd, TCSETS, modes), () => `set the modes of the terminal at descriptor ${fd} (TCSETS)`);
}

/**
 * The raw form of some modes: every byte typed passes as it is, and none is echoed or makes a signal. Output processing
 * stays as it was, so that a bare newline still returns the carriage.
 */
export function rawModes(modes: TerminalModes): TerminalModes {
  const raw = Buffer.from(modes);
  raw.writeUInt32LE((modes.readUInt32LE(IFLAG) & ~COOKED_INPUT) >>> 0, IFLAG);
  raw.writeUInt32LE((modes.readUInt32LE(OFLAG) | OPOST) >>> 0, OFLAG);
  raw.writeUInt32LE(((modes.readUInt32LE(CFLAG) & ~CSIZE_PARENB) | CS8) >>> 0, CFLAG);
  raw.writeUInt32LE((modes.readUInt32LE(LFLAG) & ~COOKED_LOCAL) >>> 0, LFLAG);
  raw[CONTROL_CHARACTERS + VMIN] = 1;
  raw[CONTROL_CHARACTERS + VTIME] = 0;
  return raw;
}

/** The modes with output newlines left as they are, and not turned into carriage return and newline. */
export function withoutNewlineTranslation(modes: TerminalModes): TerminalModes {
  const changed = Buffer.from(modes);
  changed.writeUInt32LE((modes.readUInt32LE(OFLAG) & ~ONLCR) >>> 0, OFLAG);
  return changed;
}

/** Output goes out as it is. @see termios(3), OPOST */
export function withoutOutputProcessing(modes: TerminalModes): TerminalModes {
  const changed = Buffer.from(modes);
  changed.writeUInt32LE((modes.readUInt32LE(OFLAG) & ~OPOST) >>> 0, OFLAG);
  return changed;
}

/** The size of a terminal's window: characters, and pixels where the terminal tells them (else 0). */
export interface WindowSize {
  rows: number;
  columns: number;
  pixelWidth?: number;
  pixelHeight?: number;
}

/** @throws {SyscallError} `TIOCGWINSZ`: ENOTTY when the descriptor is no terminal */
export function windowSize(fd: number): WindowSize {
  const size = new Uint16Array(4);
  check(syscall("ioctl", fd, TIOCGWINSZ, size), () => `read the size of the terminal at descriptor ${fd} (TIOCGWINSZ)`);
  const [rows = 0, columns = 0, pixelWidth = 0, pixelHeight = 0] = size;
  return { rows, columns, pixelWidth, pixelHeight };
}

/** Sets the window size; the kernel tells the terminal's foreground processes by SIGWINCH. @throws {SyscallError} `TIOCSWINSZ` */
export function setWindowSize(fd: number, { rows, columns, pixelWidth = 0, pixelHeight = 0 }: WindowSize): void {
  const size = new Uint16Array([rows, columns, pixelWidth, pixelHeight]);
  check(syscall("ioctl", fd, TIOCSWINSZ, size), () => `set the size of a terminal to ${columns}x${rows} (TIOCSWINSZ)`);
}

/**
 * Makes a terminal the controlling one of this process's session.
 * @throws {SyscallError} `TIOCSCTTY`: EPERM unless this process leads a session that has no terminal yet
 */
export function setControllingTerminal(fd: number): void {
  check(syscall("ioctl", fd, TIOCSCTTY, 0), "make the terminal the controlling one of the session (TIOCSCTTY)");
}

/** The two ends of a new terminal. */
export interface Pty {
  master: Fd;
  slave: Fd;
}

/**
 * Makes a terminal in a devpts.
 *
 * Whoever filled the directory may have put anything there: what is opened is checked to be the kernel's own multiplexer
 * in a real devpts, and the slave is taken from the master, not by its path (CVE-2025-52565).
 *
 * @param devpts path of the mount point
 * @throws {Error} when it is no devpts, or its `ptmx` is something else
 * @throws {SyscallError} `open`
 * @see pty(7), openat2(2)
 */
export function openPty(devpts: string): Pty {
  using directory = open(devpts, O.PATH | O.DIRECTORY);
  assertDevpts(directory, devpts);
  const master = openPtmx(directory, `${devpts}/ptmx`);
  try {
    const unlocked = new Int32Array([0]);
    check(syscall("ioctl", master.number, TIOCSPTLCK, unlocked), "unlock the new terminal (TIOCSPTLCK)");
    return { master, slave: openSlave(master) };
  } catch (error) {
    master.close();
    throw error;
  }
}

/**
 * Opens the other end of a terminal, whatever there is at its path now. It does not become the controlling terminal.
 * @throws {SyscallError} `TIOCGPTPEER`
 * @see ioctl_tty(2), Linux 4.13
 */
export function openSlave(master: Fd): Fd {
  const flags = O.RDWR | O.NOCTTY | O.CLOEXEC;
  return new Fd(check(syscall("ioctl", master.number, TIOCGPTPEER, flags), "open the new terminal (TIOCGPTPEER)"));
}

/** The number of a terminal: `N` of `/dev/pts/N`. @throws {SyscallError} `TIOCGPTN` */
export function ptyNumber(master: Fd): number {
  const number = new Uint32Array(1);
  check(syscall("ioctl", master.number, TIOCGPTN, number), "read the number of the terminal (TIOCGPTN)");
  return number[0] as number;
}

const DEVPTS_SUPER_MAGIC = 0x1cd1n;
/** In every devpts the multiplexer has this inode number; fs/devpts/inode.c, `mknod_ptmx`. */
const PTMX_INODE = 2n;
const PTMX_DEVICE = 0x502; // 5:2

function assertDevpts(fd: Fd, path: string): void {
  const statfs = new BigInt64Array(16); // struct statfs, 120 bytes; f_type comes first
  check(syscall("fstatfs", fd.number, statfs), () => `fstatfs ${path}`);
  if (statfs[0] !== DEVPTS_SUPER_MAGIC) throw new Error(`${path} is not on a devpts, from which a terminal could come`);
}

function openPtmx(directory: Fd, path: string): Fd {
  const RESOLVE_NO_XDEV = 1n;
  const RESOLVE_NO_SYMLINKS = 4n;
  // struct open_how: flags, mode, resolve. Nothing mounted over the file and no link is followed.
  const flags = BigInt(O.RDWR | O.NOCTTY | O.NOFOLLOW | O.CLOEXEC);
  const how = new BigUint64Array([flags, 0n, RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS]);
  const master = new Fd(check(syscall("openat2", directory.number, "ptmx", how, how.byteLength), () => `open ${path}`));
  try {
    assertDevpts(master, path);
    const stat = fstat(master.number);
    if (!isType(stat, "characterDevice") || stat.rdev !== PTMX_DEVICE || stat.ino !== PTMX_INODE) {
      throw new Error(`${path} is not the terminal multiplexer (character device 5:2)`);
    }
    return master;
  } catch (error) {
    master.close();
    throw error;
  }
}

/** Whether an error says that the other end of a terminal is gone, or that this process is in the background. */
export function isHangup(error: unknown): boolean {
  return error instanceof SyscallError && error.code === "EIO";
}
