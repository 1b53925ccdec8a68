/** Reads JSON files, with errors that say where. */

import { readText } from "../sys/file.ts";
import { basename, dirname } from "../sys/path-names.ts";
import { ConfigError } from "./error.ts";
import { findJsonError } from "./json-error.ts";

/**
 * Reads and parses a JSON file. Members that are `null` are left out: to the engines, which are written in Go, `null` and
 * "absent" are the same, and scripts that edit configurations with jq take a member away by it.
 * @throws {Error} `JSON specification file <name> not found`, in the words that runc's users look for
 * @throws {ConfigError} when it cannot be read, is empty, or is no JSON
 */
export function readJson(path: string): { document: unknown; text: string } {
  const file = basename(path);
  const text = readDocument(path);
  if (text.trim() === "") throw new ConfigError("", undefined, `the file ${path} is empty`, file);
  try {
    return { document: parse(text, file), text };
  } catch (error) {
    // What goes down a document here does so by recursion.
    if (error instanceof RangeError) throw new ConfigError("", undefined, "is nested too deeply", file);
    throw error;
  }
}

function parse(text: string, file: string): unknown {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    const { line, column, problem } = findJsonError(text);
    throw new ConfigError("", undefined, `is not JSON: line ${line}, column ${column}: ${problem}`, file);
  }
  if (text.includes("null")) dropNulls(document);
  return document;
}

function readDocument(path: string): string {
  const file = basename(path);
  try {
    return readText(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    switch (code) {
      case "ENOENT":
      case "ENOTDIR":
        throw new Error(`JSON specification file ${file} not found in ${dirname(path)}`);
      case "EISDIR":
        throw new ConfigError("", undefined, `${path} is a directory, not a file`, file);
      case "EACCES":
        throw new ConfigError("", undefined, `${path} cannot be read: permission denied`, file);
      default:
        throw new ConfigError("", undefined, `${path} cannot be read: ${code ?? (error as Error).message}`, file);
    }
  }
}

function dropNulls(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) return value.forEach(dropNulls);
  const members = value as Record<string, unknown>;
  for (const [name, member] of Object.entries(members)) {
    if (member === null) delete members[name];
    else dropNulls(member);
  }
}
