/** The entry: of what builds a filter of system calls, which a container waits for, or of the program. */
import { COMPILE_COMMAND } from "./seccomp/filter-plan.ts";
import { restoreEnvironment } from "./sys/environment.ts";

restoreEnvironment();
// A command by itself: loading the command line takes a fifth of what building the filter does.
if (process.argv[2] === COMPILE_COMMAND) (await import("./seccomp/serve.ts")).serveFilter();
await import("./program.ts");
