/** Reads the resources of `update --resources`. */
import { readInput } from "../sys/file.ts";
import { isResources } from "./generated/resources.js";
import { LARGEST, parseValid, readValid } from "./json.ts";
import type { Resources } from "./types.ts";

/**
 * Loads a document of the shape of config.json's `linux.resources`.
 * @param path a file, or `-` for the standard input
 * @throws {Error} `JSON specification file <name> not found in <directory>`
 * @throws {ConfigError}
 */
export function loadResources(path: string): Resources {
  if (path === "-") return parseValid(readInput(LARGEST), "standard input", isResources);
  return readValid(path, isResources);
}
