/** Commands of the executable that stand for a process: signals go to that, and its streams are here. */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, type Readable, type Writable } from "node:stream";
import { failed, globalArguments, notExecuted } from "./command.ts";
import { TsruncError } from "./error.ts";
import { type CommonOptions, findExecutable } from "./executable.ts";
import { parseRecords, reasonIn } from "./record.ts";

/** How a process ended. */
export interface Exit {
  /** Its exit code, 128 + n when signal n ended it; `null` where nobody saw it. */
  code: number | null;
  /** The signal that the code stands for. A process that exits with such a code by itself cannot be told from one that was killed. */
  signal: NodeJS.Signals | null;
}

const NOT_SEEN: Exit = { code: null, signal: null };

/** What a process has written, as UTF-8, and how it ended. */
export interface Output extends Exit {
  stdout: string;
  stderr: string;
}

/**
 * Where the streams of a process lead: to a stream of this one (`pipe`), to this process's own (`inherit`), or nowhere. A pipe that nobody
 * reads fills up, and the process waits then.
 */
export interface StreamOptions {
  /** Default `ignore`: there is nothing to read. */
  stdin?: "pipe" | "inherit" | "ignore";
  /** Default `pipe`. */
  stdout?: "pipe" | "inherit" | "ignore";
  /** Default `pipe`. */
  stderr?: "pipe" | "inherit" | "ignore";
}

/** Signals that a command hands on to its process. */
export type ForwardedSignal = "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGQUIT";

export class ContainerProcess {
  readonly #attached: Attached | null;
  readonly #ended: Promise<Exit>;
  #hasEnded = false;

  /** @internal */
  constructor(attached: Attached | null) {
    const ended = attached?.ended ?? Promise.resolve(NOT_SEEN);
    this.#attached = attached;
    this.#ended = ended.finally(() => {
      this.#hasEnded = true;
    });
    // Whoever waits gets it; a failure that nobody waits for is no failure of the caller's.
    this.#ended.catch(() => {});
    // A process need not read to the end.
    attached?.child.stdin?.on("error", () => {});
  }

  /** @throws {TsruncError} `NOT_PIPED` unless `stdin: "pipe"` was asked for */
  get stdin(): Writable {
    return this.#attached?.child.stdin ?? notPiped("stdin");
  }

  /** @throws {TsruncError} `NOT_PIPED` */
  get stdout(): Readable {
    return this.#attached?.stdout ?? notPiped("stdout");
  }

  /** @throws {TsruncError} `NOT_PIPED` */
  get stderr(): Readable {
    return this.#attached?.stderr ?? notPiped("stderr");
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /**
   * Waits for its end.
   * @throws {TsruncError} `FAILED` when it could not be started, or watched
   */
  wait(): Promise<Exit> {
    return this.#ended;
  }

  /**
   * Waits for its end, and collects what it writes. Streams that are no pipes count as empty.
   * @param input what it reads, where `stdin` is a pipe, which ends then
   */
  async output(input: string | Uint8Array = ""): Promise<Output> {
    const { child, stdout = null, stderr = null } = this.#attached ?? {};
    child?.stdin?.end(input);
    const [out, err, exit] = await Promise.all([textOf(stdout), textOf(stderr), this.wait()]);
    return { ...exit, stdout: out, stderr: err };
  }

  /**
   * What it writes on stdout.
   * @param input as for `output`
   * @throws {TsruncError} `FAILED` with the last line of its stderr, unless it exits with 0
   */
  async text(input: string | Uint8Array = ""): Promise<string> {
    const { stdout, stderr, code } = await this.output(input);
    if (code === 0) return stdout;
    throw failed(this.#attached?.child.spawnargs ?? [], code, stderr.trimEnd().split("\n").at(-1) ?? "");
  }

  /** Sends its process a signal; one that has ended gets none. SIGKILL cannot be handed on: the container's end is its end. */
  async kill(signal: ForwardedSignal = "SIGTERM"): Promise<void> {
    this.#attached?.child.kill(signal);
  }
}

function notPiped(name: string): never {
  throw new TsruncError("NOT_PIPED", `${name} is no pipe: ask for it by { ${name}: "pipe" }`);
}

async function textOf(stream: Readable | null): Promise<string> {
  if (stream === null) return "";
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

/** A command that has been started. */
export interface Attached {
  child: ChildProcess;
  stdout: Readable | null;
  stderr: Readable | null;
  ended: Promise<Exit>;
  /** What it has written to its file; `null` as long as it has not. */
  mark(): string | null;
}

/**
 * Starts a command whose exit code is that of its process. Its own errors go to a file besides, by which they are told from what the process does.
 * @param args its arguments; given a file that is there as long as it runs, of which it may be told
 * @throws {TsruncError} `NO_EXECUTABLE`
 */
export function attach(
  args: (file: string) => readonly string[],
  options: CommonOptions,
  stdio: StdioOptions,
): Attached {
  options.signal?.throwIfAborted();
  const executable = findExecutable(options);
  const directory = mkdtempSync(join(tmpdir(), "tsrunc-"));
  const log = join(directory, "log");
  const file = join(directory, "mark");
  const command = [executable, ...globalArguments(options, log), ...args(file)];
  let child: ChildProcess;
  try {
    child = spawn(executable, command.slice(1), { stdio });
  } catch (error) {
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  let mark = "";
  const ended = new Promise<Exit>((settle, reject) => {
    child.on("error", (cause) => {
      rmSync(directory, { recursive: true, force: true });
      reject(notExecuted(executable, command, cause));
    });
    child.on("exit", (code, killedBy) => {
      const reason = reasonIn(parseRecords(read(log)));
      mark = read(file);
      rmSync(directory, { recursive: true, force: true });
      if (killedBy !== null || reason !== null) return reject(failed(command, code, reason ?? "", killedBy));
      settle(exitOf(code));
    });
  });
  ended.catch(() => {});
  const [stdout, stderr] = [kept(child.stdout), kept(child.stderr)];
  return { child, stdout, stderr, ended, mark: () => mark || read(file) || null };
}

/** Node and Bun throw away what nobody has begun to read when the process ends. */
function kept(stream: Readable | null): Readable | null {
  return stream === null ? null : stream.pipe(new PassThrough());
}

export function streamsOf({ stdin = "ignore", stdout = "pipe", stderr = "pipe" }: StreamOptions): StdioOptions {
  return [stdin, stdout, stderr];
}

export function exitOf(code: number | null): Exit {
  const number = (code ?? 0) - 128;
  const [signal = null] = Object.entries(constants.signals).find(([, one]) => one === number) ?? [];
  return { code, signal: signal as NodeJS.Signals | null };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
