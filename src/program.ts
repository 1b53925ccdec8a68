/** The program: the command line, which enters the stage that the command needs. */
import { runCli } from "./cli/cli.ts";
import { allCommands } from "./cli/commands.ts";
import { Log } from "./cli/log.ts";
import { parserOf } from "./cli/parser.ts";
import { becomeImageProgram, isImageProgram } from "./engine/image-program.ts";
import { enterStage } from "./engine/stage.ts";
import { isForSnapshot, standStill } from "./engine/standstill.ts";
import type { Context } from "./runtime/options.ts";
import { callerArguments, isCompiled, VARIABLES } from "./sys/executable.ts";
import { isLoaded, load } from "./sys/ffi.ts";
import { exit } from "./sys/process.ts";
import { say } from "./sys/standard-streams.ts";

if (isForSnapshot()) await standStill({ loadAll, tsrunc, keepFilter, rehearseInits });

if (isCompiled && process.env[VARIABLES.stage] === undefined) {
  const message = "tsrunc: this is the engine: execute tsrunc, which is beside it\n";
  // A snapshot has no streams.
  if (isLoaded()) say(message);
  else process.stderr.write(message);
  leave(1);
}
try {
  load();
} catch (error) {
  process.stderr.write(`tsrunc: ${(error as Error).message}\n`);
  leave(1);
}
// Without the engine's own clearing up: all output is written synchronously, and nothing else is left to do.
exit(await tsrunc());

/** The commands that this program carries out itself, and what reads their arguments. */
function loadAll(): Promise<unknown> {
  const own = allCommands().filter(([, { program }]) => program === "runtime");
  return Promise.all(own.map(([path, command]) => parserOf(path, command)));
}

async function keepFilter(bundle: string, config: string): Promise<void> {
  const runtime = await import("./runtime/rehearse.ts");
  runtime.keepFilterFor(rehearsalContext(bundle), bundle, config);
}

async function rehearseInits(bundle: string, config: string): Promise<void> {
  const runtime = await import("./runtime/rehearse.ts");
  runtime.rehearseInits(rehearsalContext(bundle), bundle, config);
}

function rehearsalContext(bundle: string): Context {
  return { root: `${bundle}/state`, cgroupManager: "cgroupfs", rootless: null, log: new Log() };
}

/** Carries out the caller's command line. @returns the exit code */
function tsrunc(): Promise<number> {
  const args = callerArguments();
  return runCli(args, (command) => {
    // (The source, run by the tests, is either.)
    if (isCompiled && command?.program === "image" && !isImageProgram()) becomeImageProgram(args, command);
    enterStage(args, command?.forks ?? false);
  });
}

/** Exits where koffi may not be loaded. */
function leave(code: number): never {
  if (isLoaded()) exit(code);
  return (process as unknown as { reallyExit(code: number): never }).reallyExit(code);
}
