/** What the launcher (`src/engine/launcher.ts`) and the engine that it starts have to know of each other. */
// Asked before koffi is loaded, by which all other files of this folder ask.
import { readFileSync, readlinkSync, statSync } from "node:fs";
import { decode, encode } from "./text.ts";

declare const TSRUNC_COMPILED: boolean | undefined;

/** Whether this is the compiled executable (`make build` defines it), and not the source run by Bun. */
export const isCompiled: boolean = typeof TSRUNC_COMPILED !== "undefined" && TSRUNC_COMPILED;

/** The engine's file is beside the launcher's, its name with this at the end: seven characters, a register with the NUL. */
export const ENGINE_SUFFIX = "-engine";

/**
 * Beside them, where the engine is a snapshot, is a launcher that has it start anew instead, as on processors that have less than the
 * builder's: `tsrunc-plain`. Not longer than {@link ENGINE_SUFFIX}, whose place it takes.
 */
export const PLAIN_SUFFIX = "-plain";

/** What the launcher tells the engine, by variables of these names. */
export const VARIABLES = {
  /** The engine's path: its own `/proc/self/exe` is a detached mount. */
  engine: "_TSRUNC_ENGINE",
  /**
   * How it was executed: `sealed`, or `unsealed` where the kernel or the caller's rights did not allow that; `snapshot` by the build, see
   * `src/engine/standstill.ts`.
   */
  stage: "_TSRUNC_STAGE",
  /** Set where the engine shall start anew, though its file is a snapshot: see `src/engine/loader.ts`. */
  plain: "_TSRUNC_PLAIN",
  /** By the build: a bundle to plan before the snapshot. */
  rehearsal: "_TSRUNC_REHEARSAL",
  /** To the image program: the ordinary user who called it, where that is root in a namespace of the user's own. */
  callerUid: "_TSRUNC_UID",
  /** The soft limit of open files that the caller gave, in hexadecimal. */
  softNofile: "_TSRUNC_NOFILE",
} as const;

/**
 * How the launcher opens the null device where the caller has closed a standard stream: O_RDWR, and O_DSYNC, which does nothing there and tells
 * it from one that the caller has opened.
 */
export const MISSING_STREAM = 0o10002;

/** What keeps the engine at one thread. It reads them when it starts. */
export const SINGLE_THREAD = {
  BUN_JSC_useJIT: "0",
  BUN_JSC_useWarmUpMarkedBlocks: "0",
  BUN_JSC_numberOfGCMarkers: "1",
  BUN_JSC_useConcurrentGC: "0",
} as const;

/** What a set-user-ID or set-group-ID tsrunc says. */
export const SET_ID =
  "tsrunc: is set-user-ID or set-group-ID, which would give its owner's rights to everybody: refusing to run";

/** @throws {Error} when this process has the rights of another user than its caller's: by the mode of the engine's file */
export function refuseSetId(): void {
  const same = process.getuid?.() === process.geteuid?.() && process.getgid?.() === process.getegid?.();
  if (!same) throw new Error(SET_ID.slice("tsrunc: ".length));
}

/** Absolute path of the running engine on disk, symlinks resolved. */
export function enginePath(): string {
  return process.env[VARIABLES.engine] ?? decode(readlinkSync("/proc/self/exe", { encoding: "buffer" }));
}

/**
 * The directory of the running engine, and of what belongs to it.
 * @throws {Error} where another user can write to it, or to a file of these: they could have put anything there. The user who runs it
 *   may, and root
 */
export function engineDirectory(): string {
  const engine = enginePath();
  const directory = engine.slice(0, engine.lastIndexOf("/")) || "/";
  const launcher = engine.endsWith(ENGINE_SUFFIX) ? engine.slice(0, -ENGINE_SUFFIX.length) : engine;
  for (const path of [directory, engine, launcher, `${directory}/koffi.node`]) {
    const stats = statSync(Buffer.from(encode(path)), { throwIfNoEntry: false });
    // Of what cannot be seen nobody knows who may write to it. A snapshot needs neither of the others.
    if (stats === undefined && (path === directory || path === engine)) throw new Error(`${path} is not there`);
    if (stats === undefined || isOwn(stats)) continue;
    throw new Error(`${path} can be written by other users: refusing to run from it (see docs/install.md)`);
  }
  return directory;
}

/** The arguments that the caller gave this program. The engine itself makes U+FFFD of bytes that are not UTF-8. */
export function callerArguments(): string[] {
  const args = process.argv.slice(2);
  if (!args.some((arg) => arg.includes("\ufffd"))) return args;
  const all = decode(readFileSync("/proc/self/cmdline")).split("\0").slice(0, -1);
  return all.slice(all.length - args.length);
}

/** Whether nobody but root and the user of this process can change a file, or, of a sticky directory, what is theirs in it. */
function isOwn({ uid, mode }: { uid: number; mode: number }): boolean {
  const [S_IFMT, S_IFDIR, S_ISVTX] = [0o170000, 0o040000, 0o1000];
  const sticky = (mode & S_IFMT) === S_IFDIR && (mode & S_ISVTX) !== 0;
  return ([0, process.geteuid?.()].includes(uid) || isUnmapped(uid)) && ((mode & 0o022) === 0 || sticky);
}

/**
 * Whether an owner is one that this user namespace does not know, as the machine's root is in that of an ordinary user's images: which one it
 * is cannot be told then.
 * @see user_namespaces(7), "Unmapped user and group IDs"
 */
function isUnmapped(uid: number): boolean {
  return uid === Number(readFileSync("/proc/sys/kernel/overflowuid", "latin1")) && !mapsEveryId();
}

function mapsEveryId(): boolean {
  return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "latin1"));
}

/** The environment that the caller gave this program, `NAME=value` strings. */
export function callerEnvironment(): string[] {
  const ours = new Set<string>([...Object.values(VARIABLES), ...Object.keys(SINGLE_THREAD)]);
  const theirs = Object.entries(process.env).filter(([name]) => !ours.has(name));
  return theirs.map(([name, value]) => `${name}=${value}`);
}

/** The user who called this program: root where root did, also in a user namespace of somebody else's making. */
export function callerUid(): number {
  return Number(process.env[VARIABLES.callerUid] ?? process.geteuid?.() ?? 0);
}

/**
 * The soft limit of open files that the caller gave this program, and that its processes shall inherit: the engine raises its
 * own to the hard limit when it starts.
 * @returns `null` when the launcher did not tell
 */
export function callerNofileLimit(): number | null {
  const limit = Number(process.env[VARIABLES.softNofile] ?? Number.NaN);
  return Number.isSafeInteger(limit) ? limit : null;
}
