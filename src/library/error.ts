/** The one error of the library, besides those of an `AbortSignal`. */

/**
 * What went wrong:
 *
 * | | |
 * |---|---|
 * | `NO_EXECUTABLE` | `tsrunc` was not found, or could not be executed |
 * | `FAILED` | a command of it failed: `stderr` has its reason, `exitCode` its exit code |
 * | `BAD_OUTPUT` | what it printed is not what this version of the library reads |
 * | `BAD_OPTION` | an option that cannot be passed on |
 * | `NOT_PIPED` | a stream was asked for that is no pipe |
 */
export type TsruncErrorCode = "NO_EXECUTABLE" | "FAILED" | "BAD_OUTPUT" | "BAD_OPTION" | "NOT_PIPED";

/** More of an error, where there is more. */
export interface TsruncErrorDetails {
  /** The executable and its arguments. */
  command?: readonly string[];
  exitCode?: number | null;
  stderr?: string;
  cause?: unknown;
}

export class TsruncError extends Error {
  override readonly name = "TsruncError";
  /** The executable and its arguments; empty where none was executed. */
  readonly command: readonly string[];
  /** Of the command; `null` where it was not executed, or was killed. */
  readonly exitCode: number | null;
  /** The line by which the command says what was wrong; empty where it said nothing. */
  readonly stderr: string;

  constructor(
    readonly code: TsruncErrorCode,
    message: string,
    { command = [], exitCode = null, stderr = "", cause }: TsruncErrorDetails = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.command = command;
    this.exitCode = exitCode;
    this.stderr = stderr;
  }
}
