/** Reads and validates process.json. Apart from `load.ts`, so that `exec` need not load the rules for everything else. */
import { basename } from "../sys/path-names.ts";
import { inFile } from "./error.ts";
import { isProcess } from "./generated/process.js";
import { readJson } from "./json.ts";
import { check } from "./schema.ts";
import type { Process } from "./types.ts";
import { validateProcessMeaning } from "./validate/process-meaning.ts";

/**
 * Loads the `process.json` of `exec --process`.
 * @param warn takes what is wrong but no reason to stop
 * @throws {Error} `JSON specification file <name> not found in <directory>`
 * @throws {ConfigError}
 */
export function loadProcess(path: string, warn: (message: string) => void = () => {}): Process {
  const { document: process } = readJson(path);
  const file = basename(path);
  check(isProcess, process, file);
  inFile(file, () => {
    for (const warning of validateProcessMeaning(process).warnings) warn(`${file}: ${warning}`);
  });
  return process;
}
