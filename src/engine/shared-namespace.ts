/**
 * Where an ordinary user's images are built and run: a user namespace with the user's own ranges of ids, and a mount namespace, that all of
 * that user's commands on images share. In it they are root, with the files of images as their owners have them, and see each other's mounts.
 *
 * Both live as long as somebody is in them. A process holds them that does nothing but wait for a lock which everybody who is there shares; it
 * ends when it gets it. In the directory of these:
 *
 * | | |
 * |---|---|
 * | `members` | locked, shared, by who is in the namespaces |
 * | `lock` | locked while somebody looks for the holder, or makes one |
 * | `holder` | the holder: its pid, its start time and the machine's boot |
 *
 * @see user_namespaces(7), newuidmap(1), flock(2)
 */
import { check } from "../sys/error.ts";
import { duplicateOnto, type Fd, O, open, setCloseOnExec } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { exists, mkdirAll, readText, unlinkIfThere, writeFile } from "../sys/file.ts";
import { type LockMode, lockWhenFree } from "../sys/flock.ts";
import { hasIdHelpers, writeIdMaps } from "../sys/id-maps.ts";
import { setPropagation } from "../sys/mount.ts";
import { NAMESPACE_FLAGS, setns } from "../sys/namespace.ts";
import { exit, fork, hasEnded, killChild, pidfdOpen, processStat } from "../sys/process.ts";
import { receiveMessage, sendMessage, socketpair } from "../sys/socket.ts";
import { findLinkStat } from "../sys/stat.ts";
import { subordinateMaps } from "../sys/subordinate-ids.ts";
import { changeDirectory, setsid } from "../sys/user.ts";

/** Why an ordinary user has no such namespaces; `null` where it can have them. */
export function whyNoRanges(uid: number, gid: number): string | null {
  if (!hasIdHelpers()) return "newuidmap and newgidmap are not in $PATH (Debian: package uidmap)";
  return subordinateMaps(uid, gid) === null ? "/etc/subuid and /etc/subgid have no ranges for this user" : null;
}

/**
 * Moves this process, which is an ordinary user's and has one thread, into the namespaces of that user; it stays a member until it ends, also
 * beyond an execve. The current directory stays what it is.
 * @throws {Error}
 */
export function enterSharedNamespace(uid: number, gid: number): void {
  const directory = placeOf(uid);
  const membership = locked(`${directory}/members`, "shared");
  using _ = locked(`${directory}/lock`, "exclusive");
  using pidfd = findHolder(directory) ?? makeHolder(directory, uid, gid);
  const here = open(".", O.PATH | O.DIRECTORY);
  setns(pidfd.number, ["user", "mount"]);
  // Joining a mount namespace changes to its root directory.
  check(syscall("fchdir", here.number), "change back to the current directory");
  here.close();
  handOn(membership);
}

/** Makes a process that was started in such namespaces a member of its own: it may outlive who started it. In others nothing is done. */
export function stayInSharedNamespace(): void {
  const map = /^\s*0\s+(\d+)\s+1\s/.exec(readText("/proc/self/uid_map"));
  if (map === null) return;
  const directory = pathOf(Number(map[1]));
  if (exists(`${directory}/holder`)) handOn(locked(`${directory}/members`, "shared"));
}

function pathOf(uid: number): string {
  const runtime = process.env["XDG_RUNTIME_DIR"];
  return runtime?.startsWith("/") ? `${runtime}/tsrunc-namespace` : `/tmp/tsrunc-namespace-${uid}`;
}

/** Where the user's things of this boot are; made when it is missing. @throws {Error} for one that is somebody else's */
function placeOf(uid: number): string {
  const directory = pathOf(uid);
  mkdirAll(directory, 0o700);
  const stat = findLinkStat(directory);
  if (stat?.uid !== process.geteuid?.() || ((stat?.mode ?? 0) & 0o170022) !== 0o040000)
    throw new Error(`${directory} is somebody else's, or can be written by others: it must be removed`);
  return directory;
}

/** The descriptor stays open, and is handed on by execve. The last thing to do: what starts a program marks all descriptors for closing. */
function handOn(membership: Fd): void {
  setCloseOnExec(membership.number, false);
  membership.release();
}

function locked(path: string, mode: LockMode): Fd {
  const file = open(path, O.RDWR | O.CREAT | O.NOFOLLOW, 0o600);
  lockWhenFree(file, mode, path);
  return file;
}

/** @returns `null` where there is none */
function findHolder(directory: string): Fd | null {
  const path = `${directory}/holder`;
  if (!exists(path)) return null;
  const [pid, startTime, boot] = readText(path).trim().split(" ");
  const stat = processStat(Number(pid));
  const isSame = stat !== null && `${stat.startTime}` === startTime && boot === bootId() && !hasEnded(stat);
  return isSame ? pidfdOpen(Number(pid)) : null;
}

function bootId(): string {
  return readText("/proc/sys/kernel/random/boot_id").trim();
}

function makeHolder(directory: string, uid: number, gid: number): Fd {
  const maps = subordinateMaps(uid, gid);
  if (maps === null) throw new Error(whyNoRanges(uid, gid) ?? "there are no ranges of ids");
  const [ours, theirs] = socketpair();
  const pid = fork({ flags: BigInt(NAMESPACE_FLAGS.user | NAMESPACE_FLAGS.mount) });
  if (pid === 0) {
    ours.close();
    hold(directory, theirs);
  }
  theirs.close();
  using line = ours;
  try {
    const { startTime } = processStat(pid) ?? { startTime: 0 };
    writeIdMaps(pid, maps, uid);
    writeFile(`${directory}/holder`, `${pid} ${startTime} ${bootId()}\n`, { mode: 0o600 });
    sendMessage(line.number, Uint8Array.of(1));
    const answer = receiveMessage(line.number);
    if (answer?.payload[0] !== 1) throw new Error("what was to hold the user namespace has ended");
    return pidfdOpen(pid);
  } catch (error) {
    killChild(pid);
    unlinkIfThere(`${directory}/holder`);
    throw error;
  }
}

/** What the holder does. */
function hold(directory: string, line: Fd): never {
  try {
    if (receiveMessage(line.number) === null) exit(1);
    // Mounts of the host go on coming in; none goes out.
    setPropagation("/", "slave", true);
    const members = open(`${directory}/members`, O.RDWR);
    setsid();
    changeDirectory("/");
    const nothing = open("/dev/null", O.RDWR);
    for (const fd of [0, 1, 2]) duplicateOnto(nothing.number, fd);
    sendMessage(line.number, Uint8Array.of(1));
    closeAllBut(members.number);
    // Who is there has it shared: it comes when nobody is there any more, and who comes later waits until this has ended.
    lockWhenFree(members, "exclusive", `${directory}/members`);
    unlinkIfThere(`${directory}/holder`);
  } finally {
    exit(0);
  }
}

/** The caller's descriptors are nothing to keep open: somebody may wait for their end. */
function closeAllBut(kept: number): void {
  const LAST = 0xffff_ffff;
  if (kept > 3) syscall("close_range", 3, kept - 1, 0);
  syscall("close_range", kept + 1, LAST, 0);
}
