/**
 * The second program of the one executable: the runtime becomes the image program by `execve`, of the same compiled engine.
 *
 * The runtime is one thread in the interpreter, and on most machines a snapshot, which has no event loop. The image program is the engine as
 * it is: started anew, with threads, JIT and all of Node. Its code is in chunks of its own, which the runtime never loads.
 */

import { SyscallError } from "../sys/error.ts";
import { callerEnvironment, engineDirectory, enginePath, VARIABLES } from "../sys/executable.ts";
import { O, open as openFile } from "../sys/fd.ts";
import { setPropagation } from "../sys/mount.ts";
import { unshare } from "../sys/namespace.ts";
import { execveFd } from "../sys/process.ts";
import { enterSharedNamespace, stayInSharedNamespace, whyNoRanges } from "./shared-namespace.ts";

/** Whether this process is the image program. */
export function isImageProgram(): boolean {
  return process.env[VARIABLES.stage] === "image";
}

/** How a command of the image program is to be executed. */
export interface Surroundings {
  /**
   * Whether in a mount namespace of its own: what it mounts is seen by nobody else, and gone with its processes. It is made here, where there
   * is one thread.
   */
  ownMounts: boolean;
  /** Whether an ordinary user is root in a namespace with ids of its own (`shared-namespace.ts`): where the machine has some, or it is an error. */
  ids: "caller" | "own if possible" | "own";
}

/**
 * Becomes the image program, with the caller's arguments and environment.
 * @throws {Error} when others can write to the executable
 * @throws {SyscallError} when it cannot be executed
 */
export function becomeImageProgram(args: readonly string[], { ownMounts, ids }: Surroundings): never {
  engineDirectory();
  const path = enginePath();
  using file = openFile(path, O.RDONLY);
  const limit = process.env[VARIABLES.softNofile];
  const caller = ids === "caller" ? null : enterIds(ids);
  const environment = [
    ...callerEnvironment(),
    `${VARIABLES.engine}=${path}`,
    `${VARIABLES.stage}=image`,
    `${VARIABLES.plain}=1`,
    ...(caller === null ? [] : [`${VARIABLES.callerUid}=${caller}`]),
    ...(limit === undefined ? [] : [`${VARIABLES.softNofile}=${limit}`]),
  ];
  if (ownMounts) {
    unshare(["mount"]);
    // Mounts of the host go on coming in; none goes out.
    setPropagation("/", "slave", true);
  }
  throw new SyscallError(`execute ${path}`, execveFd(file.number, [process.argv0, ...args], environment));
}

/** @returns the user who is root now; `null` where nothing has changed @throws {Error} */
function enterIds(ids: "own if possible" | "own"): number | null {
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  if (uid === 0) {
    stayInSharedNamespace();
    return null;
  }
  const why = whyNoRanges(uid, gid);
  if (why === null) {
    enterSharedNamespace(uid, gid);
    return uid;
  }
  if (ids === "own") throw new Error(`an ordinary user needs a range of ids for this: ${why}`);
  return null;
}
