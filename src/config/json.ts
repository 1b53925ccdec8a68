/** Reads JSON files, with errors that say where. */

import { readText } from "../sys/file.ts";
import { basename, dirname } from "../sys/path-names.ts";
import { ConfigError } from "./error.ts";
import { parseExactly } from "./exact-json.ts";
import { findJsonError } from "./json-error.ts";
import { type Check, check, type Validator } from "./schema.ts";

/**
 * Reads and parses a JSON file. Members that are `null` are left out: to the engines, which are written in Go, `null` and
 * "absent" are the same, and scripts that edit configurations with jq take a member away by it.
 * @throws {Error} `JSON specification file <name> not found`, in the words that runc's users look for
 * @throws {ConfigError} when it cannot be read, is empty, or is no JSON
 */
export function readJson(path: string): unknown {
  return parseDocument(readDocument(path), basename(path), JSON.parse);
}

/**
 * Reads a JSON file that a schema describes. An integer beyond ±2⁵³ is a `bigint`.
 * @param quick says whether the document is of its type
 * @param load  loads the validator that says why it is not
 * @throws {Error} as {@link readJson}
 * @throws {ConfigError} as {@link readJson}, and for what breaks the schema
 */
export function readValid<T>(path: string, quick: Check<T>, load: () => Validator<T>): T {
  const file = basename(path);
  const text = readDocument(path);
  const document = parseDocument(text, file, JSON.parse);
  if (quick(document)) return document;
  // Numbers that may have been rounded are among what is not valid.
  const exact = parseDocument(text, file, parseExactly);
  check(quick, load, exact, file);
  return exact;
}

function parseDocument(text: string, file: string, parseText: (text: string) => unknown): unknown {
  try {
    return parse(text, file, parseText);
  } catch (error) {
    // What goes down a document here does so by recursion.
    if (error instanceof RangeError) throw new ConfigError("", undefined, "is nested too deeply", file);
    throw error;
  }
}

function parse(text: string, file: string, parseText: (text: string) => unknown): unknown {
  let document: unknown;
  try {
    document = parseText(text);
  } catch {
    const { line, column, problem } = findJsonError(text);
    throw new ConfigError("", undefined, `is not JSON: line ${line}, column ${column}: ${problem}`, file);
  }
  if (text.includes("null")) dropNulls(document);
  return document;
}

function readDocument(path: string): string {
  const file = basename(path);
  const text = readFile(path, file);
  if (text.trim() === "") throw new ConfigError("", undefined, `the file ${path} is empty`, file);
  return text;
}

function readFile(path: string, file: string): string {
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
