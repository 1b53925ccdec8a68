/** Running containers. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { bundleConfig } from "./bundle-config.ts";
import { execute, globalArguments, parseOutput, storeArguments } from "./command.ts";
import {
  bundleKind,
  Container,
  type ContainerInfo,
  type ContainerState,
  ImageContainer,
  imageKind,
  type Kind,
  unlessAborted,
} from "./container.ts";
import { TsruncError } from "./error.ts";
import { type CommonOptions, findExecutable } from "./executable.ts";
import { checkOpen, checkRun } from "./option-tables.ts";
import { type Attached, attach, streamsOf } from "./process.ts";
import { type BundleRunOptions, type ImageRunOptions, imageRunArguments } from "./run-options.ts";

/**
 * Runs a container of an image or a bundle. It comes back when its process runs; what that exits with is for `wait`.
 *
 *     await using db = await run({ image: "postgres:17", detach: true, env: { POSTGRES_PASSWORD: "x" } });
 *     await db.exec(["psql", "-U", "postgres", "-c", "select 1"]).text();
 *
 * @throws {TsruncError} `FAILED` with the reason when it could not be started: nothing of it is left
 * @throws {TypeError} where options are missing, unknown or of another type
 * @throws the reason of `signal`, when that ended it
 */
export function run(options: ImageRunOptions): Promise<ImageContainer>;
export function run(options: BundleRunOptions): Promise<Container>;
export async function run(options: ImageRunOptions | BundleRunOptions): Promise<Container> {
  checkRun(options);
  options.signal?.throwIfAborted();
  const name = options.name ?? `js-${randomBytes(6).toString("hex")}`;
  return options.image === undefined ? runBundle(name, options) : runImage(name, options);
}

/**
 * A container of an image that is there already, by its name, its id or the beginning of that; it counts as detached.
 * @throws {TsruncError} `FAILED` where there is none
 */
export async function openContainer(name: string, options: CommonOptions = {}): Promise<ImageContainer> {
  checkOpen(name, options);
  const args = ["container", "inspect", ...storeArguments(options), "--", name];
  const { stdout } = await execute(args, options);
  const [found] = parseOutput<ContainerInfo[]>(stdout, "container inspect");
  if (found === undefined) throw new TsruncError("BAD_OUTPUT", `tsrunc container inspect ${name}: nothing was printed`);
  return new ImageContainer(found.name, found.id, null, { ...options, root: found.runtimeRoot });
}

async function runImage(name: string, options: ImageRunOptions): Promise<ImageContainer> {
  const { detach = false, stdin = "ignore" } = options;
  const args = (file: string) => [
    ...["image", "run", "--quiet", "--name", name, "--cidfile", file, ...storeArguments(options)],
    ...(detach ? ["--detach"] : ["--rm"]),
    ...(detach || stdin === "ignore" ? [] : ["--interactive"]),
    ...imageRunArguments(options),
  ];
  const attached = await start({
    name,
    args,
    options,
    isOurs: ({ bundle }, id) => bundle.endsWith(`/containers/${id}/bundle`),
    // As long as there is no id, there is no container.
    remove: (id) => (id === null ? null : imageKind(id, options).remove),
  });
  const id = attached.mark() ?? "";
  return own(new ImageContainer(name, id, detach ? null : attached, options), imageKind(id, options), options);
}

async function runBundle(name: string, options: BundleRunOptions): Promise<Container> {
  const { bundle, detach = false } = options;
  const kind = bundleKind(name);
  // Whatever has the name from here on is what is about to be made.
  if (options.name !== undefined && (await stateOf(name, options)) !== null) {
    const reason = `container with id exists: ${name}`;
    throw new TsruncError("FAILED", reason, { stderr: reason });
  }
  const config = bundleConfig(options);
  const directory = config === null ? null : mkdtempSync(join(tmpdir(), "tsrunc-"));
  try {
    if (directory !== null) writeFileSync(join(directory, "config.json"), config ?? "", { mode: 0o600 });
    const args = (file: string) => [
      ...["run", "--bundle", bundle, "--pid-file", file],
      ...(directory === null ? [] : ["--config", join(directory, "config.json")]),
      ...(detach ? ["--detach"] : []),
      name,
    ];
    const isOurs = ({ pid }: ContainerState, file: string) => `${pid}` === file;
    const attached = await start({ name, args, options, isOurs, remove: () => kind.remove });
    return own(new Container(name, kind, detach ? null : attached, options), kind, options);
  } finally {
    // The runtime keeps what it has read.
    if (directory !== null) rmSync(directory, { recursive: true, force: true });
  }
}

/** A container to be started. */
interface Start {
  name: string;
  /** The command that runs it; the file gets the id or the pid of what it makes. */
  args(file: string): readonly string[];
  options: ImageRunOptions | BundleRunOptions;
  /** Whether a container of the name is the one that has left its mark: others may have it. */
  isOurs(state: ContainerState, mark: string): boolean;
  /** The command that removes what the start has made; `null` for nothing. */
  remove(mark: string | null): readonly string[] | null;
}

/** Starts the command, and waits until the container runs. Nothing is left of one that does not. */
async function start(request: Start): Promise<Attached> {
  const { args, options } = request;
  const { detach = false, signal } = options;
  const attached = attach(args, options, detach ? "ignore" : streamsOf(options));
  let hasFailed = false;
  attached.ended.catch(() => {
    hasFailed = true;
  });
  try {
    await aborted<unknown>(detach ? attached.ended : untilRunning(attached, request), signal);
    return unlessAborted(attached, signal);
  } catch (error) {
    // A command that fails by itself leaves nothing.
    if (!hasFailed) await clear(attached, request);
    throw signal?.aborted ? signal.reason : error;
  }
}

/** Waits until the container of a command runs, or has run. */
async function untilRunning({ ended, mark }: Attached, { name, options, isOurs }: Start): Promise<void> {
  let hasEnded = false;
  const end = ended.then(() => {
    hasEnded = true;
  });
  end.catch(() => {});
  for (let pause = 5; !hasEnded; pause = Math.min(2 * pause, 100)) {
    await Promise.race([end, sleep(pause, undefined, { ref: false })]);
    const made = mark();
    if (hasEnded || made === null) continue;
    const state = await stateOf(name, options);
    if (state?.status === "running" && isOurs(state, made)) return;
  }
}

async function stateOf(name: string, options: CommonOptions): Promise<ContainerState | null> {
  try {
    return parseOutput((await execute(["state", name], options)).stdout, "state");
  } catch (error) {
    // It is not there yet.
    if (error instanceof TsruncError && error.code === "FAILED") return null;
    throw error;
  }
}

/** Kills and removes a container that is being made, or has been. */
async function clear({ child, ended, mark }: Attached, { options, remove }: Start): Promise<void> {
  const { signal: _, ...rest } = options;
  const removeNow = async () => {
    const args = remove(mark());
    if (args !== null) await execute(args, rest).catch(() => {});
  };
  let hasEnded = false;
  const end = ended
    .catch(() => {})
    .then(() => {
      hasEnded = true;
    });
  child.kill("SIGTERM");
  await removeNow();
  await Promise.race([end, sleep(PATIENCE, undefined, { ref: false })]);
  if (!hasEnded) child.kill("SIGKILL");
  await end;
  // It may have been made meanwhile.
  await removeNow();
}

/** Milliseconds that a command has to end by itself. */
const PATIENCE = 10_000;

/** Rejected with a signal's reason, once that is aborted. */
function aborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((settle, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(settle, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** Containers that are to end with this program: the commands that remove them. */
const owned = new Map<Container, string[]>();

/** Ties a container to this program, unless it is detached, and to a signal. */
function own<T extends Container>(container: T, kind: Kind, options: CommonOptions): T {
  const { signal } = options;
  const abort = () => void container.remove().catch(() => {});
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  if (container.detached) return container;
  if (owned.size === 0) process.on("exit", removeOwned);
  owned.set(container, [findExecutable(options), ...globalArguments(options), ...kind.remove]);
  const forget = () => {
    signal?.removeEventListener("abort", abort);
    owned.delete(container);
    if (owned.size === 0) process.off("exit", removeOwned);
  };
  container.wait().then(forget, forget);
  return container;
}

function removeOwned(): void {
  for (const [executable = "", ...args] of owned.values()) spawnSync(executable, args, { stdio: "ignore" });
}
