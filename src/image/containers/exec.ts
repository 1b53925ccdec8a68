/** Further processes in a container that runs. */
import { spawn } from "node:child_process";
import type { Process } from "../../config/types.ts";
import { hasErrno } from "../../sys/error.ts";
import type { Fd } from "../../sys/fd.ts";
import { memoryFileOf } from "../../sys/memory-file.ts";
import { openRoot } from "../../sys/path.ts";
import { join } from "../../sys/path-names.ts";
import { fitUser, type MappedIds, mappedIds } from "../bundle/mapped-ids.ts";
import { readSpec } from "../bundle/marker.ts";
import { standInFor } from "../bundle/pass-signals.ts";
import { mergeEnvironment } from "../bundle/runtime-config.ts";
import { runtimePath } from "../bundle/runtime-path.ts";
import { type ResolvedUser, readInImage, resolveUser } from "../bundle/user.ts";
import type { Store } from "../store/store.ts";
import { type Container, containerPath } from "./record.ts";
import { recover } from "./start.ts";
import { currentStatus } from "./status.ts";

export interface ExecRequest {
  args: readonly string[];
  tty: boolean;
  /** Whether the standard input is passed on. */
  interactive: boolean;
  detach: boolean;
  /** A name or a number of the container's; `null` for the container's own user. */
  user: string | null;
  cwd: string | null;
  env: readonly string[];
  /** Global options for the runtime, such as where it logs. */
  runtimeArgs: readonly string[];
}

/** @returns the exit code of the process */
export async function execInNamed(store: Store, container: Container, request: ExecRequest): Promise<number> {
  await recover(store, container);
  const { state, status } = currentStatus(store, container);
  if (status !== "running" || state.phase !== "running")
    throw new Error(`${container.name} does not run: it is ${status}`);
  using given = processOf(store, container, state.process.pid, request);
  const args = [
    ...request.runtimeArgs,
    // Its own, whatever the caller's is.
    ...["--root", container.root],
    "exec",
    ...(request.detach ? ["--detach"] : []),
    ...given.options,
    container.name,
    ...given.args,
  ];
  const child = spawn(runtimePath(), args, {
    stdio: [
      request.interactive || request.tty ? "inherit" : "ignore",
      ...["inherit" as const, "inherit" as const],
      ...(given.document === null ? [] : [given.document.number]),
    ],
  });
  return await standInFor(child);
}

/** What the process is, for the runtime: the container's own with some changes, or, for another user, one that is written out. */
interface Given extends Disposable {
  options: string[];
  args: readonly string[];
  /** Its document, which is descriptor 3 of the runtime. */
  document: Fd | null;
}

function processOf(
  store: Store,
  { id, name }: Container,
  pid: number,
  { args, tty, user, cwd, env }: ExecRequest,
): Given {
  if (user === null) {
    const options = [
      ...(tty ? ["--tty"] : []),
      ...(cwd === null ? [] : ["--cwd", cwd]),
      ...env.flatMap((variable) => ["--env", variable]),
    ];
    return { options, args, document: null, [Symbol.dispose]: () => {} };
  }
  const bundle = containerPath(store, id, "bundle");
  const { process: own = { cwd: "/" } } = readSpec(bundle);
  const { user: found, home } = userIn(join(bundle, "rootfs"), user);
  const process: Process = {
    ...own,
    args: [...args],
    terminal: tty,
    // Not with the groups of the container's own user, as the runtime's --user has it: those are for that one alone.
    user: fitUser(`the user ${JSON.stringify(user)}`, found, idsIn(name, pid)).user,
    cwd: cwd ?? own.cwd,
    env: mergeEnvironment([...(own.env ?? []), ...(home === null ? [] : [`HOME=${home}`]), ...env]),
  };
  const document = memoryFileOf("process", new TextEncoder().encode(JSON.stringify(process)));
  return {
    options: ["--process", "/proc/self/fd/3"],
    args: [],
    document,
    [Symbol.dispose]: () => document.close(),
  };
}

function userIn(path: string, user: string): ResolvedUser {
  using rootfs = openRoot(path);
  return resolveUser(user, readInImage(rootfs, "/etc/passwd"), readInImage(rootfs, "/etc/group"));
}

/** The ids of a container's user namespace. @throws {Error} for one that has just ended */
function idsIn(name: string, pid: number): MappedIds {
  try {
    return mappedIds(pid);
  } catch (error) {
    throw hasErrno(error, "ENOENT", "ESRCH") ? new Error(`${name} does not run: it has just ended`) : error;
  }
}
