/** Further processes in a container that runs. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { openRoot } from "../../sys/path.ts";
import { join } from "../../sys/path-names.ts";
import { runtimePath } from "../bundle/runtime-path.ts";
import { readInImage, resolveUser } from "../bundle/user.ts";
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
  const { status } = currentStatus(store, container);
  if (status !== "running") throw new Error(`${container.name} does not run: it is ${status}`);
  const args = [
    ...request.runtimeArgs,
    // Its own, whatever the caller's is.
    ...["--root", container.root],
    "exec",
    ...options(store, container, request),
    container.name,
    ...request.args,
  ];
  const child = spawn(runtimePath(), args, {
    stdio: [request.interactive || request.tty ? "inherit" : "ignore", "inherit", "inherit"],
  });
  const forward = (signal: NodeJS.Signals) => void child.kill(signal);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) process.on(signal, forward);
  return new Promise((settle, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => settle(code ?? 128 + (constants.signals[signal as NodeJS.Signals] ?? 0)));
  });
}

function options(store: Store, { id }: Container, { tty, detach, user, cwd, env }: ExecRequest): string[] {
  return [
    ...(tty ? ["--tty"] : []),
    ...(detach ? ["--detach"] : []),
    ...(cwd === null ? [] : ["--cwd", cwd]),
    ...env.flatMap((variable) => ["--env", variable]),
    ...(user === null ? [] : userOptions(join(containerPath(store, id, "bundle"), "rootfs"), user)),
  ];
}

function userOptions(path: string, user: string): string[] {
  using rootfs = openRoot(path);
  const { user: found, home } = resolveUser(
    user,
    readInImage(rootfs, "/etc/passwd"),
    readInImage(rootfs, "/etc/group"),
  );
  return [
    ...["--user", `${found.uid}:${found.gid}`],
    ...(found.additionalGids ?? []).flatMap((gid) => ["--additional-gids", `${gid}`]),
    ...(home === null ? [] : ["--env", `HOME=${home}`]),
  ];
}
