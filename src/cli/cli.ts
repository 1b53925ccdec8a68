/** The command line: global options, then a command; an error becomes one line on stderr, a log record and an exit code. */
import type { Command } from "./command.ts";
import { commands } from "./commands.ts";
import { type GlobalValues, globalOptions, makeContext } from "./global-options.ts";
import { type Level, Log } from "./log.ts";
import { type OptionTable, type Parsed, parseOptions } from "./option.ts";
import { print } from "./output.ts";
import { UsageError } from "./usage-error.ts";

/**
 * Carries out a command line.
 * @param argv    the arguments, without the program's name
 * @param prepare makes this process fit for the command; an error of it is reported as the command's own
 * @returns the exit code: of the container's process for `run` and `exec`; otherwise 0, 1 for an error, 255 when `exec`
 *          cannot start its process, 3 for a command that does not exist
 */
export async function runCli(argv: readonly string[], prepare: () => void = () => {}): Promise<number> {
  const log = new Log();
  try {
    return await dispatch(argv, log, prepare);
  } catch (error) {
    log.reportError(error);
    return error instanceof UsageError ? error.exitCode : 1;
  }
}

async function dispatch(argv: readonly string[], log: Log, prepare: () => void): Promise<number> {
  const globals = parseWithHint(globalOptions, argv, { stopAtFirst: true });
  const [name, ...rest] = globals.args;
  if (globals.options.version || globals.options.V) {
    const { versionText } = await import("./version.ts");
    print(versionText());
    return 0;
  }
  try {
    // Before the log is opened, which is nothing to hand on to a program executed here.
    prepare();
  } finally {
    configureLog(log, globals.options);
  }
  if (name === undefined || globals.options.help) return await printHelp(undefined);
  if (name === "help" || name === "h") return await printHelp(rest[0]);
  const command = await loadCommand(name);
  const { stopAtFirst = false } = command;
  const { help } = globalOptions;
  const { options, args } = parseWithHint({ ...command.options, help }, rest, { stopAtFirst }, name);
  if (options.help) return await printHelp(name);
  checkArity(name, command, args.length);
  const context = makeContext(globals, log);
  if (command.failure !== undefined) log.hold();
  try {
    const code = await command.run({ context, options, args, globals: globals.given });
    log.release();
    return code;
  } catch (error) {
    if (error instanceof UsageError) throw withHint(error, name);
    log.reportError(error, command.failure?.prefix);
    return command.failure?.exitCode ?? 1;
  }
}

/** Commands of runc and crun that callers may try, and that are still to come. */
const COMING: readonly string[] = ["checkpoint", "events", "restore", "update"];

async function loadCommand(name: string): Promise<Command> {
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry !== undefined) return (await entry.load()).command;
  if (COMING.includes(name)) throw new UsageError(`tsrunc ${name} is not supported yet`);
  throw new UsageError(`No help topic for '${name}' ("tsrunc help" lists the commands)`, 3);
}

async function printHelp(name: string | undefined): Promise<number> {
  const { commandHelp, programHelp } = await import("./help.ts");
  print(name === undefined ? programHelp() : commandHelp(name, await loadCommand(name)));
  return 0;
}

function configureLog(log: Log, options: GlobalValues): void {
  const level = options["log-level"];
  log.configure({
    ...(options.log === undefined ? {} : { file: options.log }),
    format: options["log-format"],
    level: options.debug ? "debug" : level === "warn" ? "warning" : (level as Level),
  });
}

function parseWithHint<T extends OptionTable>(
  table: T,
  argv: readonly string[],
  how: NonNullable<Parameters<typeof parseOptions>[2]>,
  name?: string,
): Parsed<T> {
  try {
    return parseOptions(table, argv, how);
  } catch (error) {
    throw error instanceof UsageError ? withHint(error, name) : error;
  }
}

function withHint(error: UsageError, name?: string): UsageError {
  const help = name === undefined ? "tsrunc help" : `tsrunc help ${name}`;
  return new UsageError(`Incorrect Usage: ${error.message} (see "${help}")`, error.exitCode);
}

/** In runc's words, which callers know. */
function checkArity(name: string, { arity: { min, max } }: Command, count: number): void {
  if (count >= min && count <= max) return;
  const [amount, limit] = min === max ? ["exactly", min] : count < min ? ["a minimum of", min] : ["a maximum of", max];
  throw new UsageError(`tsrunc: "${name}" requires ${amount} ${limit} argument(s) (see "tsrunc help ${name}")`);
}
