/** The entry: the stage first, then the command line. */
import { enterStage } from "./stage.ts";

const args = process.argv.slice(2);

try {
  enterStage(args);
} catch (error) {
  process.stderr.write(`tsrunc: ${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}

void import("./cli/cli.ts").then(async ({ runCli }) => process.exit(await runCli(args)));
