/** The other program, which makes containers. */
import { engineDirectory, isCompiled } from "../../sys/executable.ts";
import { join, resolve } from "../../sys/path-names.ts";

/** Where this program's runtime is: the source, when that is run, has the one that was built. */
export function runtimePath(): string {
  return isCompiled ? join(engineDirectory(), "tsrunc") : (process.env["TSRUNC"] ?? resolve("dist/tsrunc"));
}
