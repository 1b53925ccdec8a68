/** The entry: the stage first, then the command line. */
import { runCli } from "./cli/cli.ts";
import { enterStage } from "./stage.ts";
import { isLoaded } from "./sys/ffi.ts";
import { exit } from "./sys/process.ts";

const args = process.argv.slice(2);

try {
  enterStage(args);
} catch (error) {
  process.stderr.write(`tsrunc: ${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}

void runCli(args).then(leave);

/** Exits without handlers: all output is written synchronously, and nothing else is left to do. */
function leave(code: number): never {
  // Without the engine's own clearing up, where that costs no loading of the addon.
  if (isLoaded()) exit(code);
  return (process as unknown as { reallyExit(code: number): never }).reallyExit(code);
}
