/** Where the executable is. */
import { accessSync, constants } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, isAbsolute, join, resolve } from "node:path";
import { TsruncError } from "./error.ts";

/** What every function of the library takes. */
export interface CommonOptions {
  /**
   * Path of `tsrunc`; default: `$TSRUNC`, else the package for this processor (`@tsrunc/linux-x64`), which npm installs with this one, else
   * the first `tsrunc` in `$PATH`.
   */
  executable?: string;
  /** Where images, volumes and containers are kept; default: `/var/lib/tsrunc`, an ordinary user's `$XDG_DATA_HOME/tsrunc`. */
  store?: string;
  /** Where the state of containers is; default: `/run/tsrunc`, an ordinary user's `$XDG_RUNTIME_DIR/tsrunc`. */
  root?: string;
  /** Ends what is being done: the promise is rejected with the signal's reason, and nothing is left behind. */
  signal?: AbortSignal;
}

/**
 * The executable's path.
 * @throws {TsruncError} `NO_EXECUTABLE`, saying where it was looked for
 */
export function findExecutable({ executable }: Pick<CommonOptions, "executable"> = {}): string {
  const named = executable ?? (process.env["TSRUNC"] || undefined);
  if (named !== undefined) {
    const path = resolve(named);
    if (isExecutable(path)) return path;
    const who = executable === undefined ? "$TSRUNC" : "the option executable";
    throw new TsruncError("NO_EXECUTABLE", `${path}, which ${who} names, is not there, or not executable`);
  }
  const found = inPackage() ?? inPath();
  if (found !== null) return found;
  throw new TsruncError(
    "NO_EXECUTABLE",
    `no tsrunc: ${packageName()} is not installed (npm leaves it out on another processor, and with --omit=optional), and there is none in $PATH; name one by the option executable or by $TSRUNC`,
  );
}

function packageName(): string {
  return `@tsrunc/linux-${process.arch}`;
}

function inPackage(): string | null {
  try {
    const path = join(dirname(createRequire(import.meta.url).resolve(`${packageName()}/package.json`)), "lib/tsrunc");
    return isExecutable(path) ? path : null;
  } catch {
    return null;
  }
}

function inPath(): string | null {
  const directories = (process.env["PATH"] ?? "").split(delimiter).filter(isAbsolute);
  return directories.map((directory) => join(directory, "tsrunc")).find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
