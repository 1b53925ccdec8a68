/** Where the running executable is. */
import { readlinkSync } from "node:fs";

declare const TSRUNC_COMPILED: boolean | undefined;

/** Whether this is the compiled executable (`make build` defines it), and not the source run by Bun. */
export const isCompiled: boolean = typeof TSRUNC_COMPILED !== "undefined" && TSRUNC_COMPILED;

/** Carries the executable's path from stage one to stage two, where `/proc/self/exe` is a detached mount. */
export const EXECUTABLE_VARIABLE = "_TSRUNC_EXECUTABLE";

/** Absolute path of the executable on disk, symlinks resolved. */
export function executablePath(): string {
  return process.env[EXECUTABLE_VARIABLE] ?? readlinkSync("/proc/self/exe");
}
