/** The entry: the stage first, then the command line. */
import { enterStage } from "./stage.ts";
import { exit } from "./sys/process.ts";

const args = process.argv.slice(2);

try {
  enterStage(args);
} catch (error) {
  process.stderr.write(`tsrunc: ${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}

// At once, without the engine's own clearing up: all output is written synchronously, and nothing else is left to do.
void import("./cli/cli.ts").then(async ({ runCli }) => exit(await runCli(args)));
