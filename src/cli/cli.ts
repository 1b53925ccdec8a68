/** The command line: global options, then a command; an error becomes one line on stderr, a log record and an exit code. */
import type { Context } from "../runtime/options.ts";
import { BROKEN_PIPE, UnreadError } from "../sys/standard-streams.ts";
import { PROGRAM } from "./command.ts";
import { type CommandEntry, type CommandGroup, commands, findCommand, shownEntries } from "./commands.ts";
import { type GlobalValues, makeContext, program } from "./global-options.ts";
import { type Level, Log } from "./log.ts";
import { print } from "./output.ts";
import { Parser, parserOf } from "./parser.ts";
import { UsageError } from "./usage-error.ts";

/** Makes this process fit for a command, before anything is opened; `null` for help. */
export type Prepare = (command: CommandEntry | null) => void;

/**
 * Carries out a command line.
 * @param argv    the arguments, without the program's name
 * @param prepare an error of it is reported as the command's own
 * @returns the exit code: of the container's process for `run` and `exec`; otherwise 0, 1 for an error, 255 when `exec`
 *          cannot start its process, 3 for a command that does not exist, 141 when nobody reads what is printed
 */
export async function runCli(argv: readonly string[], prepare: Prepare = () => {}): Promise<number> {
  const log = new Log();
  try {
    return await dispatch(argv, log, prepare);
  } catch (error) {
    // Whether it is printed by a command or its help: whoever has stopped reading is told nothing.
    if (error instanceof UnreadError) return BROKEN_PIPE;
    log.reportError(error);
    return error instanceof UsageError ? error.exitCode : 1;
  }
}

/** Like that of each command, it is made once. */
let globalParser: Parser<typeof program.options> | undefined;

async function dispatch(argv: readonly string[], log: Log, prepare: Prepare): Promise<number> {
  globalParser ??= new Parser(PROGRAM, program.summary, program);
  const globals = globalParser.read(argv);
  if (globals === null) return 0;
  const { options, given, args } = globals;
  if (options.version || options.V) {
    const { versionText } = await import("./version.ts");
    print(versionText());
    return 0;
  }
  const { names, isHelp } = options.help ? { names: [], isHelp: true } : withoutHelp(args);
  const { path, entry, rest } = findCommand(names);
  try {
    // Before the log is opened, which is nothing to hand on to a program executed here.
    prepare(entry?.kind === "command" && !isHelp ? entry : null);
  } finally {
    configureLog(log, options, given);
  }
  if (entry?.kind !== "command") return list(path, entry, isHelp ? [...rest, "--help"] : rest);
  const { parser, command } = await parserOf(path, entry);
  log.begin(parser.path, entry.failure.prefix !== null);
  const parsed = parser.read(isHelp ? ["--help"] : rest);
  if (parsed === null) return 0;
  const context = makeContext(globals, log);
  try {
    const code = await command.run({
      ...parsed,
      context,
      globals: given,
      runtimeArgs: runtimeArguments(context, options, given),
    });
    log.release();
    return code;
  } catch (error) {
    if (error instanceof UsageError || error instanceof UnreadError) throw error;
    log.reportError(error, entry.failure.prefix);
    return entry.failure.exitCode;
  }
}

/** Whether help is asked for by the word, and of what. */
function withoutHelp(args: readonly string[]): { names: readonly string[]; isHelp: boolean } {
  const [first = "help", ...rest] = args;
  return first === "help" || first === "h" ? { names: rest, isHelp: true } : { names: args, isHelp: false };
}

/** What is said of a command that there is not, or of those that there are. */
function list(path: string[], group: CommandGroup | null, [name, ...more]: readonly string[]): number {
  const table = group?.commands ?? commands;
  if (name === undefined)
    throw new UsageError(
      `"${path.join(" ")}" needs a command: ${shownEntries(table)
        .map(([one]) => one)
        .join(", ")}`,
    );
  const listing = group === null ? new Parser(PROGRAM, program.summary, program) : bareParser(path, group.summary);
  for (const [one, { summary }] of shownEntries(table)) listing.command(one).summary(summary);
  if (isHelpOption(name) && more.length === 0) print(listing.helpInformation());
  else listing.read([name]);
  return 0;
}

function isHelpOption(arg: string | undefined): boolean {
  return arg === "--help" || arg === "-help" || arg === "-h";
}

function bareParser(path: string[], summary: string): Parser {
  return new Parser(path.join(" "), summary, { synopsis: "", description: "", examples: [], options: {} });
}

/** What a runtime is told that another command executes: it works on the same containers, and logs where this one does. */
function runtimeArguments({ root }: Context, options: GlobalValues, given: ReadonlySet<string>): string[] {
  const names = ["log", "log-format", "log-level"] as const;
  return [
    "--root",
    root,
    ...names.flatMap((name) => (given.has(name) ? [`--${name}=${options[name]}`] : [])),
    ...(options.debug ? ["--debug"] : []),
  ];
}

function configureLog(log: Log, options: GlobalValues, given: ReadonlySet<string>): void {
  const level = options["log-level"];
  log.configure({
    ...(options.log === undefined ? {} : { file: options.log }),
    format: options["log-format"],
    isFormatGiven: given.has("log-format"),
    level: options.debug ? "debug" : level === "warn" ? "warning" : (level as Level),
  });
}
