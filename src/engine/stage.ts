/**
 * The second of the two stages in which the program starts.
 *
 * Fork is sound in a process of one thread only, and the engine starts several unless its environment says otherwise
 * before it begins; and what forks must run from a file that no container can write to. The launcher (`launcher.ts`),
 * stage one, sees to both. Here the engine finds out what it did, and does what it could not.
 */

import { SyscallError } from "../sys/error.ts";
import { engineDirectory, enginePath, isCompiled, refuseSetId, SINGLE_THREAD, VARIABLES } from "../sys/executable.ts";
import { closeOnExecFrom, FIRST_FD, setCloseOnExec } from "../sys/fd.ts";
import { readDirectory, readLink } from "../sys/file.ts";
import { noteInherited } from "../sys/inherited-fds.ts";
import { execveFd } from "../sys/process.ts";
import { sealExecutable } from "../sys/seal.ts";

/**
 * Makes this process one that may fork, where the command needs that, and the environment the caller's again. Executes the
 * program once more when the launcher could not seal it.
 * @param forks whether the command that the arguments name does
 * @throws {SyscallError} when the executable cannot be sealed or executed
 * @throws {Error} when others can write to the executable, or it is set-user-ID
 */
export function enterStage(args: readonly string[], forks: boolean): void {
  refuseSetId();
  const stage = process.env[VARIABLES.stage];
  if (isCompiled && forks) {
    if (stage !== "sealed") executeSealed(args);
    engineDirectory();
  }
  if (forks) {
    noteInherited();
    // Which of the caller's descriptors the container gets is decided later.
    closeOnExecFrom(FIRST_FD);
  }
  for (const name of [VARIABLES.stage, ...Object.keys(SINGLE_THREAD)]) delete process.env[name];
}

/**
 * Keeps the caller's descriptors open over the next exec: those that the container is to inherit, and those that an option
 * names as `/dev/fd/N`. The engine sets close-on-exec on all that it finds from 4 on when it starts; its own, which are
 * events, stay so.
 */
function keepDescriptors(): void {
  for (const { name } of readDirectory("/proc/self/fd")) {
    const fd = Number(name);
    if (fd >= FIRST_FD && !isEvent(fd)) setCloseOnExec(fd, false);
  }
}

function isEvent(fd: number): boolean {
  try {
    return readLink(`/proc/self/fd/${fd}`).startsWith("anon_inode:");
  } catch {
    return true; // the descriptor of the listing itself
  }
}

function executeSealed(args: readonly string[]): never {
  keepDescriptors();
  const path = enginePath();
  const file = sealExecutable();
  const environment = { ...process.env, [VARIABLES.stage]: "sealed" };
  const strings = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  throw new SyscallError(`execute ${path}`, execveFd(file.number, [process.argv0, ...args], strings));
}
