/** Finding the executable, and becoming it. */

import type { Limit } from "../plan/process.ts";
import { errnoName } from "../sys/errno.ts";
import { errnoText, type SyscallError } from "../sys/error.ts";
import { execve } from "../sys/process.ts";
import { getLimit, setLimit } from "../sys/rlimit.ts";
import { isDirectory, type Stat, stat } from "../sys/stat.ts";
import { executable } from "../sys/user.ts";
import type { InitContext } from "./context.ts";

const ENOSYS = 38;
const EPERM = 1;
const ENOENT = 2;
const ENOEXEC = 8;

/**
 * The program cannot be executed. Docker, Podman and containerd make the exit codes 126 and 127 out of the words, which
 * are those of runc.
 */
export class ExecError extends Error {
  override readonly name = "ExecError";

  constructor(
    message: string,
    readonly code: string,
  ) {
    super(message);
  }
}

/**
 * Finds an executable: a name with a slash is a path, another is looked for in the directories of `PATH`.
 * @throws {ExecError} `exec: "<name>": executable file not found in $PATH`, `…: stat <path>: no such file or directory`,
 *   `…: permission denied`
 */
export function findExecutable(name: string, path: string | null): string {
  if (name.includes("/")) {
    const reason = whyNotExecutable(name);
    if (reason !== null) throw notExecutable(name, reason);
    return name;
  }
  for (const directory of path ? path.split(":") : []) {
    const candidate = `${directory || "."}/${name}`;
    if (name === "" || whyNotExecutable(candidate) !== null) continue;
    if (candidate.startsWith("/")) return candidate;
    throw notExecutable(name, { text: "cannot run executable found relative to current directory", code: "ENOENT" });
  }
  throw notExecutable(name, { text: "executable file not found in $PATH", code: "ENOENT" });
}

interface Reason {
  text: string;
  code: string;
}

function notExecutable(name: string, { text, code }: Reason): ExecError {
  return new ExecError(`exec: ${JSON.stringify(name)}: ${text}`, code);
}

function whyNotExecutable(path: string): Reason | null {
  let stats: Stat;
  try {
    stats = stat(path);
  } catch (error) {
    const { errno = ENOENT } = error as SyscallError;
    return { text: `stat ${path}: ${errnoText(errno)}`, code: errnoName(errno) };
  }
  // What execve(2) says of it. For runc's "is a directory" alone, Podman's exec exits with 255 instead of 126.
  if (isDirectory(stats)) return { text: "permission denied (a directory)", code: "EACCES" };
  const errno = executable(path);
  if (errno === 0) return null;
  // A seccomp filter that does not know faccessat2 answers so: go by the mode then.
  if (errno === ENOSYS || errno === EPERM) {
    return (stats.mode & 0o111) !== 0 ? null : { text: "permission denied", code: "EACCES" };
  }
  return { text: errnoText(errno), code: errnoName(errno) };
}

/**
 * Sets the limits and executes the program found before. Nothing comes between: under the limits this program might not run.
 * @throws {ExecError} `exec <path>: <reason>`
 */
export function execute(
  args: readonly string[],
  limits: readonly Limit[],
  { executable, environment }: InitContext,
): void {
  const path = executable as string;
  for (const { type, soft, hard } of limits) {
    const hardLimit = hard === null ? getLimit(0, type).hard : BigInt(hard);
    setLimit(0, type, { soft: hard === null ? least(BigInt(soft), hardLimit) : BigInt(soft), hard: hardLimit });
  }
  const errno = execve(path, args, environment);
  throw new ExecError(`exec ${path}: ${errnoText(errno)}${hint(errno)}`, errnoName(errno));
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/** The likely cause of a failed execve. ENOENT gets none: runc's tests take its line whole. */
function hint(errno: number): string {
  if (errno === ENOEXEC) return " (a script without #! line, or a program for another architecture?)";
  return "";
}
