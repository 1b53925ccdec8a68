/** A container that runs, or has run. */
import { setTimeout as sleep } from "node:timers/promises";
import type { State } from "../config/types.ts";
import { execute, parseOutput, storeArguments } from "./command.ts";
import type { CommonOptions } from "./executable.ts";
import { checkExec, checkLogs, checkStop } from "./option-tables.ts";
import {
  type Attached,
  attach,
  ContainerProcess,
  type Exit,
  exitOf,
  type StreamOptions,
  streamsOf,
} from "./process.ts";
import { pairs, value } from "./registry.ts";

/** The container's state, as `tsrunc state` prints it. */
export interface ContainerState extends State {
  rootfs: string;
  /** RFC 3339. */
  created: string;
}

/** All there is to know of a container of an image, as `tsrunc container inspect` prints it. */
export interface ContainerInfo {
  id: string;
  name: string;
  image: string;
  /** Of the image's manifest. */
  digest: string;
  command: string[];
  /** RFC 3339, as the other times; `null` for what has not happened, or nobody saw. */
  created: string;
  startedAt: string | null;
  finishedAt: string | null;
  status: "incomplete" | "created" | "starting" | "running" | "paused" | "exited";
  /** 0 for one that does not run. */
  pid: number;
  exitCode: number | null;
  /** Why it could not be started. */
  error: string | null;
  network: "none" | "host" | "pasta";
  ports: string[];
  volumes: { name: string; destination: string }[];
  stopSignal: number;
  stopTimeout: number;
  autoRemove: boolean;
  tty: boolean;
  logSize: number;
  logPath: string;
  bundle: string;
  /** The runtime's `--root`. */
  runtimeRoot: string;
}

export interface ExecOptions extends StreamOptions {
  /** In a container of an image `USER[:GROUP]`, names or numbers; in one of a bundle `UID[:GID]`. Default: the container's own. */
  user?: string;
  cwd?: string;
  env?: Readonly<Record<string, string>>;
  /** Sends the process SIGTERM. */
  signal?: AbortSignal;
}

export interface LogOptions {
  /** Wait for more, until the container has ended. */
  follow?: boolean;
  /** Only the last lines. */
  tail?: number;
  /** Put the time of each line before it. */
  timestamps?: boolean;
  signal?: AbortSignal;
}

/** What differs between the two kinds of containers: the arguments of commands. */
export interface Kind {
  exec(args: readonly string[], options: ExecOptions): string[];
  /** Kills it, and removes all of it; one that is not there is fine. */
  remove: readonly string[];
}

/** A container of a bundle, or of an image ({@link ImageContainer}). `await using` kills and removes it at the end of a block. */
export class Container extends ContainerProcess implements AsyncDisposable {
  /** Its name; for the runtime its id. */
  readonly name: string;
  /** Whether it goes on when this program ends. */
  readonly detached: boolean;
  /** For commands that are to be carried out whatever the signal says. */
  protected readonly options: Omit<CommonOptions, "signal">;
  protected readonly abortSignal: AbortSignal | undefined;
  readonly #kind: Kind;
  readonly #attached: Attached | null;
  #removed: Promise<void> | null = null;

  /** @internal @param attached `null` for one that is detached */
  constructor(name: string, kind: Kind, attached: Attached | null, { signal, ...options }: CommonOptions) {
    super(attached);
    this.name = name;
    this.detached = attached === null;
    this.#kind = kind;
    this.#attached = attached;
    this.options = options;
    this.abortSignal = signal;
  }

  /** Sends its first process a signal: a name such as `SIGHUP`, or a number. @throws {TsruncError} `FAILED` when it does not run */
  override async kill(signal: NodeJS.Signals | number = "SIGTERM"): Promise<void> {
    await execute(["kill", this.name, `${signal}`], this.options);
  }

  /** Freezes all its processes. */
  async pause(): Promise<void> {
    await execute(["pause", this.name], this.options);
  }

  async resume(): Promise<void> {
    await execute(["resume", this.name], this.options);
  }

  /**
   * Sends SIGTERM, waits, and then kills.
   * @param options `timeout`: seconds, default 10
   */
  async stop(options: { timeout?: number } = {}): Promise<void> {
    checkStop(options);
    const { timeout = 10 } = options;
    const end = Date.now() + timeout * 1000;
    await this.kill("SIGTERM").catch(() => {});
    for (let pause = 5; Date.now() < end && (await this.#isAlive()); pause = Math.min(2 * pause, 100))
      await sleep(pause);
    if (await this.#isAlive()) await this.kill("SIGKILL");
    if (!this.detached) await this.wait();
    else while (await this.#isAlive()) await sleep(10);
  }

  async #isAlive(): Promise<boolean> {
    if (this.hasEnded && !this.detached) return false;
    const state = await this.state().catch(() => null);
    return state !== null && state.status !== "stopped";
  }

  /** @throws {TsruncError} `FAILED` when it has been removed, as one is whose process has ended */
  async state(): Promise<ContainerState> {
    const { stdout } = await execute(["state", this.name], this.options);
    return parseOutput(stdout, "state");
  }

  /**
   * Executes another process in it. One that could not be started counts as ended with 255, and says so on stderr.
   * @param args the command and its arguments
   */
  exec(args: readonly string[], options: ExecOptions = {}): ContainerProcess {
    checkExec(args, options);
    const command = this.#kind.exec(args, options);
    const { signal } = options;
    signal?.throwIfAborted();
    const attached = attach(() => command, this.options, streamsOf(options));
    return new ContainerProcess(signal === undefined ? attached : withSignal(attached, signal));
  }

  /** Kills it, if it runs, and removes it with all that was written in it. One that is gone already is fine. */
  remove(): Promise<void> {
    this.#removed ??= this.#remove();
    return this.#removed;
  }

  async #remove(): Promise<void> {
    await execute(this.#kind.remove, this.options);
    await this.#attached?.ended.catch(() => {});
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.remove();
  }
}

/** A container of an image: it has a log, and stays when it has stopped, if it is detached. */
export class ImageContainer extends Container {
  /** 64 hexadecimal digits. */
  readonly id: string;

  /** @internal */
  constructor(name: string, id: string, attached: Attached | null, options: CommonOptions) {
    super(name, imageKind(id, options), attached, options);
    this.id = id;
  }

  /** @throws {TsruncError} `FAILED` when it has been removed */
  async inspect(): Promise<ContainerInfo> {
    const { stdout } = await execute(
      ["container", "inspect", ...storeArguments(this.options), "--", this.id],
      this.options,
    );
    return (parseOutput<ContainerInfo[]>(stdout, "container inspect") as [ContainerInfo])[0];
  }

  /** What it has written: on stdout what went to its stdout, on stderr the rest. */
  logs(options: LogOptions = {}): ContainerProcess {
    checkLogs(options);
    const { follow, tail, timestamps, signal } = options;
    const args = [
      ...["container", "logs", ...storeArguments(this.options)],
      ...(follow ? ["--follow"] : []),
      ...value("--tail", tail),
      ...(timestamps ? ["--timestamps"] : []),
      ...["--", this.id],
    ];
    const attached = attach(() => args, this.options, ["ignore", "pipe", "pipe"]);
    return new ContainerProcess(signal === undefined ? attached : withSignal(attached, signal));
  }

  /**
   * Sends the stop signal, waits, and then kills. A detached one stays, and can be started again.
   * @param options `timeout`: seconds; default: the container's own, 10
   */
  override async stop(options: { timeout?: number } = {}): Promise<void> {
    checkStop(options);
    const { timeout } = options;
    const time = value("--time", timeout === undefined ? undefined : Math.ceil(timeout));
    const stopped = execute(
      ["container", "stop", ...storeArguments(this.options), ...time, "--", this.id],
      this.options,
    );
    // What has ended may be gone, too.
    await (this.detached ? stopped : stopped.catch((error) => (this.hasEnded ? undefined : Promise.reject(error))));
    if (!this.detached) await this.wait();
  }

  /** Starts a detached one that has stopped, as it was. */
  async start(): Promise<void> {
    await execute(["container", "start", ...storeArguments(this.options), "--", this.id], this.options);
  }

  /** Waits for its end; of a detached one that was started again, for that of today. */
  override async wait(): Promise<Exit> {
    if (!this.detached) return super.wait();
    const { abortSignal: signal } = this;
    const { stdout } = await execute(["container", "wait", ...storeArguments(this.options), "--", this.id], {
      ...this.options,
      ...(signal === undefined ? {} : { signal }),
    });
    const code = Number.parseInt(stdout, 10);
    return exitOf(Number.isNaN(code) ? null : code);
  }
}

/** Commands on a container of an image. */
export function imageKind(id: string, options: CommonOptions): Kind {
  const store = storeArguments(options);
  return {
    exec: (args, { stdin = "ignore", user, cwd, env }) => [
      ...["container", "exec", ...store],
      ...(stdin === "ignore" ? [] : ["--interactive"]),
      ...value("--user", user),
      ...value("--workdir", cwd),
      ...pairs("--env", env),
      ...[id, ...args],
    ],
    remove: ["container", "rm", "--force", ...store, "--", id],
  };
}

/** Commands on a container of a bundle. */
export function bundleKind(name: string): Kind {
  return {
    exec: (args, { user, cwd, env }) => [
      "exec",
      ...value("--user", user),
      ...value("--cwd", cwd),
      ...pairs("--env", env),
      ...[name, ...args],
    ],
    remove: ["delete", "--force", name],
  };
}

/** Has a signal end a command; its end is rejected with the signal's reason then. */
function withSignal(attached: Attached, signal: AbortSignal): Attached {
  const abort = () => void attached.child.kill("SIGTERM");
  signal.addEventListener("abort", abort, { once: true });
  const forget = () => signal.removeEventListener("abort", abort);
  attached.ended.then(forget, forget);
  return unlessAborted(attached, signal);
}

/** The same, whose end is rejected with the signal's reason once that is aborted. */
export function unlessAborted(attached: Attached, signal: AbortSignal | undefined): Attached {
  if (signal === undefined) return attached;
  const settled = attached.ended.then(
    (exit) => (signal.aborted ? Promise.reject(signal.reason) : exit),
    (error) => Promise.reject(signal.aborted ? signal.reason : error),
  );
  settled.catch(() => {});
  return { ...attached, ended: settled };
}
