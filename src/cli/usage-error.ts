/** A command line that cannot be understood. */

/** Its message is one line; the caller adds where help is to be found. */
export class UsageError extends Error {
  override readonly name = "UsageError";

  /** @param exitCode 1, but 3 for a command that does not exist, as runc's callers expect */
  constructor(
    message: string,
    readonly exitCode: number = 1,
  ) {
    super(message);
  }
}

/** Reads a value of the command line: what is wrong with it is told as that. @throws {UsageError} */
export function asUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
