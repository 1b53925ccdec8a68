/** Starting containers: by a monitor, which is told to be there by the runtime's own executable. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { BROKEN_PIPE } from "../../sys/standard-streams.ts";
import { lookAtBundle } from "../bundle/marker.ts";
import { passSignals } from "../bundle/pass-signals.ts";
import { runtimePath } from "../bundle/runtime-path.ts";
import type { Store } from "../store/store.ts";
import { DamagedContainerError } from "./damaged.ts";
import { listContainers } from "./find.ts";
import type { Message, Purpose } from "./monitor.ts";
import { type Container, containerPath, isThere, lockContainer } from "./record.ts";
import { runRuntime } from "./runtime.ts";
import { checkSources } from "./sources.ts";
import { currentStatus, isAbandoned, isEnding, isRunning, isRunningNow, isWatched } from "./status.ts";
import { rawInput } from "./terminal.ts";
import { waitUntil } from "./wait.ts";

/** The command that becomes a monitor. */
export const MONITOR_COMMAND = "monitor";

/**
 * Starts a container; one that runs is left as it is.
 * @throws {Error} with what went wrong
 */
export async function startContainer(store: Store, container: Container): Promise<void> {
  using _ = await lockContainer(store, container);
  if (!(await isStartable(store, container))) return;
  const watcher = await startMonitor(store, container, "start");
  watcher.leave();
}

/**
 * Starts a container in the foreground: its output comes here, signals go there; those that come before its process is there, too.
 * @returns the exit code of its process; where nobody reads its output any more, {@link BROKEN_PIPE}, and it goes on
 */
export async function runAttached(store: Store, container: Container): Promise<number> {
  let watcher: Watcher;
  const early: NodeJS.Signals[] = [];
  let pass = (signal: NodeJS.Signals): void => void early.push(signal);
  using _signals = passSignals((signal) => {
    // The monitor looks at the size itself.
    if (signal !== "SIGWINCH") pass(signal);
  });
  {
    using _ = await lockContainer(store, container);
    if (!(await isStartable(store, container))) throw new Error(`${container.name} is running already`);
    watcher = await startMonitor(store, container, "attach");
  }
  pass = (signal) => void runRuntime(container, ["kill", container.name, signal]);
  for (const signal of early) pass(signal);
  using _raw = container.tty ? rawInput() : undefined;
  const end = await watcher.next();
  if (end?.kind === "unheard") {
    watcher.leave();
    return BROKEN_PIPE;
  }
  if (end?.kind === "exited" && end.code !== null) return end.code;
  throw new Error(
    end === null
      ? `what watched ${container.name} was killed; "tsrunc container list" says what has become of it`
      : `how the process of ${container.name} ended is not known`,
  );
}

/** @returns false for one that runs @throws {Error} for one that never can */
async function isStartable(store: Store, container: Container): Promise<boolean> {
  if (!isThere(store, container.id)) throw new Error(`no such container: ${container.name}`);
  await recover(store, container);
  const current = currentStatus(store, container);
  if (current.status === "incomplete") {
    throw new Error(
      `the making of ${container.name} was interrupted: "tsrunc container rm ${container.name}" removes it`,
    );
  }
  if (isRunning(current)) return false;
  const bundle = lookAtBundle(containerPath(store, container.id, "bundle"));
  if (bundle.kind === "damaged") throw new DamagedContainerError({ ...container, why: bundle.why }, { force: false });
  checkSources(store, container, bundle.spec);
  // One that has just ended is still being cleared.
  await waitUntil(() => !isWatched(store, container), 10_000);
  return isThere(store, container.id);
}

/** Gives a container whose monitor was killed another one; what has ended meanwhile is cleared by that. */
export async function recover(store: Store, container: Container): Promise<void> {
  await waitUntil(() => !isEnding(store, container), 10_000);
  if (!isAbandoned(store, container)) return;
  const watcher = await startMonitor(store, container, "recover").catch(() => null);
  watcher?.leave();
  await waitUntil(() => !isEnding(store, container), 10_000);
  if (!isRunningNow(store, container)) await waitUntil(() => !isWatched(store, container), 10_000);
}

/** {@link recover} for all. */
export async function recoverAll(store: Store): Promise<void> {
  for (const container of listContainers(store)) await recover(store, container);
}

/** A monitor, as its starter sees it. */
interface Watcher {
  /** What it says next; `null` when it is gone. */
  next(): Promise<Message | null>;
  /** Goes on without it. */
  leave(): void;
}

/** @throws {Error} when it could not start the container */
async function startMonitor(
  store: Store,
  { id, name, root, interactive, tty }: Container,
  purpose: Purpose,
): Promise<Watcher> {
  const args = ["--root", root, "container", MONITOR_COMMAND, "--store", store.root, "--for", purpose, id];
  const isAttached = purpose === "attach";
  const child = spawn(runtimePath(), args, {
    detached: true,
    stdio: [
      isAttached && (interactive || tty) ? 0 : "ignore",
      "pipe",
      // One that takes over says nothing to a command that asked for something else.
      purpose === "recover" ? "ignore" : "inherit",
      ...(isAttached ? [1, 2] : []),
    ],
  });
  const watcher = watcherOf(child);
  const first = await watcher.next();
  if (first?.kind === "started") return watcher;
  watcher.leave();
  throw new Error(first?.kind === "failed" ? first.message : `what was to watch ${name} was killed, or did not start`);
}

function watcherOf(child: ChildProcess): Watcher {
  if (child.stdout === null) throw new Error("no pipe");
  const failed = new Promise<never>((_, reject) => child.on("error", reject));
  failed.catch(() => {});
  const input = child.stdout;
  const lines = createInterface({ input })[Symbol.asyncIterator]();
  return {
    next: async () => {
      const { value, done } = await Promise.race([lines.next(), failed]);
      return done ? null : (JSON.parse(value) as Message);
    },
    leave: () => {
      input.destroy();
      child.unref();
    },
  };
}
