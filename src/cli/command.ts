/** What a command is: one file in `commands/`, which exports it as `command`. */
import type { Context } from "../runtime/options.ts";
import type { OptionTable, OptionValues } from "./option.ts";

/** A command line that was understood. */
export interface Invocation<T extends OptionTable = OptionTable> {
  context: Context;
  options: OptionValues<T>;
  /** The names of the global options that were given. */
  globals: ReadonlySet<string>;
  /** What is not an option. */
  args: string[];
}

export interface Command<T extends OptionTable = OptionTable> {
  /** The arguments, as in the usage line: `<container-id> [signal]`. */
  synopsis: string;
  /** Paragraphs for help. */
  description: string;
  /** Command lines for help, each of which works as it stands. */
  examples: readonly string[];
  options: T;
  /** How many arguments it takes. */
  arity: { min: number; max: number };
  /** Whether the first argument ends the options: what follows belongs to another program. */
  stopAtFirst?: boolean;
  /** What the errors of `run` get: their beginning, and the exit code (1 where there is nothing to say). */
  failure?: { prefix: string; exitCode: number };
  /**
   * Does it: one call into `runtime/` (or `config/`).
   * @returns the exit code
   */
  run(invocation: Invocation<T>): Promise<number>;
}

/** Gives a command its option types. */
export function defineCommand<T extends OptionTable>(command: Command<T>): Command<T> {
  return command;
}
