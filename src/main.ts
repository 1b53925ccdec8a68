/** The entry: the stage first, then the command line. */
import { enterStage } from "./stage.ts";

const args = process.argv.slice(2);

try {
  enterStage(args);
} catch (error) {
  process.stderr.write(`tsrunc: ${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}

/** Node's exit without handlers: all output is written synchronously, and nothing else is left to do. */
const { reallyExit } = process as unknown as { reallyExit(code: number): never };

void import("./cli/cli.ts").then(async ({ runCli }) => reallyExit(await runCli(args)));
