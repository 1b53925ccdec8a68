/** Reads and validates process.json. Apart from `load.ts`, so that `exec` need not load the rules for everything else. */
import { basename } from "../sys/path-names.ts";
import { inFile } from "./error.ts";
import { isProcess } from "./generated/process.js";
import { readValid } from "./json.ts";
import type { Process } from "./types.ts";
import { validateProcess } from "./validate/process.ts";
import { Subject } from "./validate/subject.ts";

/**
 * Loads the `process.json` of `exec --process`.
 * @param warn takes what is wrong but no reason to stop
 * @throws {Error} `JSON specification file <name> not found in <directory>`
 * @throws {ConfigError}
 */
export function loadProcess(path: string, warn: (message: string) => void = () => {}): Process {
  const process = readValid(path, isProcess);
  const file = basename(path);
  const subject = new Subject({ ociVersion: "1.3.0" }, { euid: 0, inUserNamespace: false, forCreate: true });
  inFile(file, () => validateProcess(subject, "", process));
  for (const warning of subject.warnings) warn(`${file}: ${warning}`);
  return process;
}
