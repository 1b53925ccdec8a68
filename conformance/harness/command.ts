/** Running a command to its end, or to its limit. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";

/** What a command came to. */
export interface Result {
  /** The command, for messages. */
  command: string;
  /** Its exit code, 128 + n when signal n ended it; `null` when it had to be killed at its limit. */
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  input?: string;
  env?: Record<string, string>;
  cwd?: string;
  /** Milliseconds; 8,000 by default. */
  limit?: number;
  /** Further descriptors, from 3 on. */
  extra?: readonly number[];
}

/**
 * Runs a command. Its output goes to files, since a container that outlives the command would keep a pipe open.
 * @returns also when it fails, or does not end: a runtime that hangs must fail one check, not the run
 */
export async function runCommand(path: string, args: readonly string[], options: RunOptions = {}): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), "conformance-output-"));
  const files = { stdout: join(directory, "stdout"), stderr: join(directory, "stderr") };
  const stdout = openSync(files.stdout, "w");
  const stderr = openSync(files.stderr, "w");
  try {
    const child = spawn(path, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: [options.input === undefined ? "ignore" : "pipe", stdout, stderr, ...(options.extra ?? [])],
    });
    child.stdin?.on("error", () => {}); // It may end without reading.
    child.stdin?.end(options.input);
    const code = await exitOf(child, options.limit ?? 8_000);
    return {
      command: [path, ...args].join(" "),
      code,
      stdout: readFileSync(files.stdout, "utf8"),
      stderr: readFileSync(files.stderr, "utf8"),
    };
  } finally {
    closeSync(stdout);
    closeSync(stderr);
    rmSync(directory, { recursive: true, force: true });
  }
}

function exitOf(child: ChildProcess, limit: number): Promise<number | null> {
  return new Promise((resolve) => {
    let expired = false;
    const timer = setTimeout(() => {
      expired = true;
      child.kill("SIGKILL");
    }, limit);
    child.once("error", () => {
      clearTimeout(timer);
      resolve(127);
    });
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      const number = signal === null ? 0 : (constants.signals[signal] ?? 0);
      resolve(expired ? null : (code ?? 128 + number));
    });
  });
}
