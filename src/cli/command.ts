/** What a command is: one file in `commands/`, which exports it as `command`. */
import type { Context } from "../runtime/options.ts";
import type { OptionTable, OptionValues } from "./option.ts";

/** The name of the program, and so of the command that stands for all of it. */
export const PROGRAM = "tsrunc";

/** What arguments there are, and what help says of them. */
export interface Syntax<T extends OptionTable = OptionTable> {
  /** The arguments in commander's notation: `<container-id> [signal]`. */
  synopsis: string;
  /** Paragraphs for help. */
  description: string;
  /** Command lines for help, each of which works as it stands. */
  examples: readonly string[];
  options: T;
  /** Whether the first argument ends the options: what follows belongs to another program. */
  stopAtFirst?: boolean;
}

/** Arguments that were understood. */
export interface Parsed<T extends OptionTable = OptionTable> {
  options: OptionValues<T>;
  /** The names of the options that were given. */
  given: ReadonlySet<string>;
  /** What is not an option. */
  args: string[];
}

export interface Invocation<T extends OptionTable = OptionTable> extends Parsed<T> {
  context: Context;
  /** The names of the global options that were given. */
  globals: ReadonlySet<string>;
  /** The global options that count for a command of the runtime that this one executes: its root and its log, as they were given. */
  runtimeArgs: readonly string[];
}

export interface Command<T extends OptionTable = OptionTable> extends Syntax<T> {
  /**
   * Does it: one call into `runtime/` (or `config/`, or `image/`).
   * @returns the exit code
   */
  run(invocation: Invocation<T>): Promise<number>;
}

/** Gives a command its option types. */
export function defineCommand<T extends OptionTable>(command: Command<T>): Command<T> {
  return command;
}
