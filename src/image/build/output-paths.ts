/** What of `--output` and `--iidfile` can be known to fail before a build, which may take hours. */
import { readdirSync } from "node:fs";
import { checkOutputDirectory, checkOutputFile } from "../../sys/output-path.ts";
import { resolve } from "../../sys/path-names.ts";
import { requireStream } from "../../sys/standard-streams.ts";
import { findStat } from "../../sys/stat.ts";
import type { BuildOptions, Output } from "./options.ts";

/** @throws {Error} that names the option */
export function checkOutputs({ output, iidFile }: Pick<BuildOptions, "output" | "iidFile">): void {
  if (iidFile !== null) naming("--iidfile", iidFile, (path) => checkOutputFile(path, "opened"));
  if (output !== null) checkOutput(output);
}

function checkOutput(output: Output): void {
  if (output.kind === "directory") {
    naming("--output", output.path, checkOutputDirectory);
    if (findStat(resolve(output.path)) !== null) requireEmpty(output.path);
  } else if (output.path !== "-") {
    const way = output.kind === "tar" ? "opened" : "renamed";
    naming("--output", output.path, (path) => checkOutputFile(path, way));
  } else {
    requireStream("stdout");
    if (process.stdout.isTTY) throw new Error("--output: stdout is a terminal: name a file, or send it into a pipe");
  }
}

function naming(option: string, name: string, check: (path: string) => void): void {
  try {
    check(resolve(name));
  } catch (error) {
    throw new Error(`${option} ${name}: ${(error as Error).message}`);
  }
}

/** @throws {Error} for a directory of `--output` that has something in it */
export function requireEmpty(path: string): void {
  if (readdirSync(path).length > 0)
    throw new Error(`--output ${path}: is not empty: a new directory, or an empty one, is right`);
}
