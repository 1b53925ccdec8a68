/** Commands of the executable that end by themselves. */
import { spawn } from "node:child_process";
import { TsruncError } from "./error.ts";
import { type CommonOptions, findExecutable } from "./executable.ts";
import { type LogRecord, parseRecord, reasonIn } from "./record.ts";

/** What a command came to. */
export interface CommandResult {
  stdout: string;
  /** What it warned of. */
  warnings: string[];
}

export interface CommandOptions extends CommonOptions {
  /** Takes each line on stderr that is no error and no warning, while the command works. */
  onLine?: (line: string) => void;
  /** What it reads. */
  input?: NodeJS.ReadableStream;
  /** Variables for it, besides this process's. */
  variables?: Readonly<Record<string, string>>;
}

/** Bytes of stderr that are kept for the message of an error. */
const KEPT = 16384;

/**
 * Executes a command, and waits.
 * @param args the command and its arguments, with `--store` where it takes that
 * @throws {TsruncError} `FAILED` with the reason when its exit code is not 0
 * @throws the signal's reason, when that ends it
 */
export function execute(args: readonly string[], options: CommandOptions): Promise<CommandResult> {
  const { signal, onLine, input } = options;
  signal?.throwIfAborted();
  const executable = findExecutable(options);
  const command = [executable, ...globalArguments(options), ...args];
  const child = spawn(executable, command.slice(1), {
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
    env: { ...process.env, ...options.variables },
  });
  const abort = () => void child.kill("SIGTERM");
  signal?.addEventListener("abort", abort, { once: true });
  const stdout: Buffer[] = [];
  const records: LogRecord[] = [];
  let kept = "";
  child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
  const lines = new Lines((line) => {
    const record = parseRecord(line);
    if (record !== null) return void records.push(record);
    kept = `${kept}${line}\n`.slice(-KEPT);
    onLine?.(line);
  });
  // What a callback of the caller throws, or its stream, ends the command.
  let thrown: { error: unknown } | null = null;
  const end = (error: unknown) => {
    thrown ??= { error };
    child.kill("SIGTERM");
  };
  const guarded = (act: () => void) => {
    try {
      act();
    } catch (error) {
      end(error);
    }
  };
  child.stderr?.setEncoding("utf8").on("data", (text: string) => guarded(() => lines.add(text)));
  if (input !== undefined && child.stdin !== null) {
    // One that does not read to the end has its own reason.
    child.stdin.on("error", () => {});
    input.on("error", end);
    input.pipe(child.stdin);
  }
  return new Promise((settle, reject) => {
    child.on("error", (cause) => reject(notExecuted(executable, command, cause)));
    child.on("close", (code, killedBy) => {
      signal?.removeEventListener("abort", abort);
      guarded(() => lines.flush());
      if (signal?.aborted) return reject(signal.reason);
      if (thrown !== null) return reject(thrown.error);
      const warnings = records.filter(({ level }) => level === "warning").map(({ message }) => message);
      if (code === 0) return settle({ stdout: Buffer.concat(stdout).toString("utf8"), warnings });
      reject(failed(command, code, reasonIn(records) ?? lastLine(kept), killedBy));
    });
  });
}

/** The options before a command. */
export function globalArguments({ root }: CommonOptions, log?: string): string[] {
  return [
    ...(root === undefined ? [] : ["--root", root]),
    ...(log === undefined ? [] : ["--log", log]),
    ...["--log-format", "json"],
  ];
}

export function storeArguments({ store }: CommonOptions): string[] {
  return store === undefined ? [] : ["--store", store];
}

export function failed(
  command: readonly string[],
  exitCode: number | null,
  reason: string,
  killedBy: NodeJS.Signals | null = null,
): TsruncError {
  const how = killedBy === null ? `exit code ${exitCode}` : `killed by ${killedBy}`;
  return new TsruncError("FAILED", reason === "" ? `tsrunc: ${how}` : reason, { command, exitCode, stderr: reason });
}

export function notExecuted(executable: string, command: readonly string[], cause: Error): TsruncError {
  return new TsruncError("NO_EXECUTABLE", `cannot execute ${executable}: ${cause.message}`, { command, cause });
}

/** What a command has printed as JSON. @throws {TsruncError} `BAD_OUTPUT` */
export function parseOutput<T>(text: string, command: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new TsruncError("BAD_OUTPUT", `tsrunc ${command}: no JSON: ${text.slice(0, 100)}`, { cause });
  }
}

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}

/** Cuts text into lines. */
export class Lines {
  #rest = "";

  constructor(private readonly take: (line: string) => void) {}

  add(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.take(line);
  }

  flush(): void {
    const rest = this.#rest;
    this.#rest = "";
    if (rest !== "") this.take(rest);
  }
}
