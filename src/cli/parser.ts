/** What reads arguments: a command of commander, made of what a command of ours declares. */
import { Command as Commander, CommanderError } from "commander";
import { type Command, type Parsed, PROGRAM, type Syntax } from "./command.ts";
import type { CommandEntry } from "./commands.ts";
import { RuncHelp } from "./help.ts";
import { normalize } from "./normalize.ts";
import { type OptionTable, TableOption } from "./option.ts";
import { print } from "./output.ts";
import { UsageError } from "./usage-error.ts";

const HELP = { short: "-h", long: "--help", required: false, bare: true };

/** May be used again: a call of {@link read} leaves nothing for the next. */
export class Parser<T extends OptionTable = OptionTable> extends Commander {
  readonly examples: readonly string[];
  readonly #stopAtFirst: boolean;

  /** @param path the names that lead to it, such as `mounts add`, or the program's own */
  constructor(
    readonly path: string,
    summary: string,
    { synopsis, description, examples, options, stopAtFirst = false }: Syntax<T>,
  ) {
    super(path);
    this.examples = examples;
    this.#stopAtFirst = stopAtFirst;
    this.summary(summary).description(description);
    if (synopsis !== "") this.arguments(synopsis);
    for (const [name, option] of Object.entries(options)) this.addOption(new TableOption(name, option));
    if (stopAtFirst) this.enablePositionalOptions().passThroughOptions();
    this.helpOption("-h, --help", "show help").helpCommand(false);
    // Its caller prints what went wrong, and leaves.
    this.configureOutput({ writeOut: print, writeErr: () => undefined, outputError: () => undefined }).exitOverride();
  }

  /**
   * Reads arguments.
   * @returns `null` when help was asked for, and has been printed
   * @throws {UsageError} for what cannot be understood, with the name of a similar option or command, and where help is
   */
  read(argv: readonly string[]): Parsed<T> | null {
    const normal = normalize([...this.options, HELP], argv, this.#stopAtFirst);
    try {
      this.parse(normal, { from: "user" });
    } catch (error) {
      if (!(error instanceof CommanderError)) throw error;
      if (error.code === "commander.helpDisplayed") return null;
      throw this.#usageError(error);
    }
    const given = this.options
      .map((option) => option.name())
      .filter((name) => this.getOptionValueSource(name) === "cli");
    return { options: this.opts(), given: new Set(given), args: this.args };
  }

  #usageError({ code, message }: CommanderError): UsageError {
    const help = this.path === PROGRAM ? `${PROGRAM} help` : `${PROGRAM} help ${this.path}`;
    const line = message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
    if (code === "commander.optionMissingArgument") {
      // In runc's words: Podman and CRI-O tell by them that there is such an option.
      const option = /'(.*)'/.exec(line)?.[1] ?? "";
      return new UsageError(`Incorrect Usage: flag needs an argument: ${option} (see "${help}")`);
    }
    if (code !== "commander.unknownCommand") return new UsageError(`Incorrect Usage: ${line} (see "${help}")`);
    // In runc's words, which its callers know.
    const words = line.replace("unknown command", "No help topic for");
    return new UsageError(`${words} ("${help}" lists the commands)`, 3);
  }

  override createHelp(): RuncHelp {
    return new RuncHelp();
  }
}

const made = new Map<CommandEntry, { parser: Parser; command: Command }>();

/** Loads a command's file, and makes what reads its arguments, once. @param path the names that lead to it */
export async function parserOf(
  path: readonly string[],
  entry: CommandEntry,
): Promise<{ parser: Parser; command: Command }> {
  const before = made.get(entry);
  if (before !== undefined) return before;
  const { command } = await entry.load();
  const pair = { parser: new Parser(path.join(" "), entry.summary, command), command };
  made.set(entry, pair);
  return pair;
}
