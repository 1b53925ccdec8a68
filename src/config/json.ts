/** Reads JSON files, with errors that say where. */

import { O, open } from "../sys/fd.ts";
import { readTextOf } from "../sys/file.ts";
import { basename, dirname } from "../sys/path-names.ts";
import { fstat, isDirectory, isType, type Stat } from "../sys/stat.ts";
import { ConfigError } from "./error.ts";
import { parseExactly } from "./exact-json.ts";
import { isTooDeep } from "./json-depth.ts";
import { findJsonError } from "./json-error.ts";
import { dropNulls } from "./json-nulls.ts";
import { check, type Validator } from "./schema.ts";

/** The largest file that is read, in bytes: an engine's has 20,000. */
export const LARGEST = 64 << 20;

/** A descriptor that the caller has handed over: a shell's `<(…)` is a pipe, which is waited for, while a fifo in a bundle never is. */
const OWN_DESCRIPTOR = /^\/(dev\/stdin|(dev|proc\/self)\/fd\/\d+)$/;

/**
 * Reads and parses a JSON file. Members that are `null` are left out: to the engines, which are written in Go, `null` and
 * "absent" are the same, and scripts that edit configurations with jq take a member away by it.
 * @throws {Error} `JSON specification file <name> not found`, in the words that runc's users look for
 * @throws {ConfigError} when it cannot be read, is no regular file, empty, larger than 64 MB, no JSON, or nested more than 1000 deep
 */
export function readJson(path: string): unknown {
  return parseDocument(readDocument(path), basename(path), JSON.parse);
}

/**
 * Reads a JSON file that a schema describes. An integer beyond ±2⁵³ is a `bigint`.
 * @throws {Error} as {@link readJson}
 * @throws {ConfigError} as {@link readJson}, and for what breaks the schema
 */
export function readValid<T>(path: string, validator: Validator<T>): T {
  return parseValid(readDocument(path), basename(path), validator);
}

/** The same for a text. @param file what to call it in errors */
export function parseValid<T>(text: string, file: string, validator: Validator<T>): T {
  const document = parseDocument(text, file, JSON.parse);
  try {
    check(validator, document, file);
    return document;
  } catch (error) {
    if (!(error instanceof ConfigError) || !isRounded(error.value)) throw error;
  }
  const exact = parseDocument(text, file, parseExactly);
  check(validator, exact, file);
  return exact;
}

function parseDocument(text: string, file: string, parse: (text: string) => unknown): unknown {
  const refuse = (rule: string): never => {
    const { line, column, problem } = findJsonError(text);
    throw new ConfigError("", undefined, `${rule}: line ${line}, column ${column}: ${problem}`, file);
  };
  if (isTooDeep(text)) refuse("is not readable");
  let document: unknown;
  try {
    document = parse(text);
  } catch {
    refuse("is not JSON");
  }
  if (text.includes("null")) dropNulls(document);
  return document;
}

/** Whether the parser may have read another number than the one written. */
function isRounded(value: unknown): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value);
}

function readDocument(path: string): string {
  const file = basename(path);
  const text = readFile(path, file);
  if (text.trim() === "") throw new ConfigError("", undefined, `the file ${path} is empty`, file);
  return text;
}

function readFile(path: string, file: string): string {
  try {
    const ours = OWN_DESCRIPTOR.test(path);
    using opened = open(path, O.RDONLY | O.NOCTTY | (ours ? 0 : O.NONBLOCK));
    const { mode, size } = fstat(opened.number);
    if (!isType({ mode }, "regular") && !(ours && isType({ mode }, "fifo")))
      throw new ConfigError("", undefined, `${path} is ${typeName({ mode })}, not a file`, file);
    if (size <= LARGEST) return readTextOf(opened, path, LARGEST);
    throw new ConfigError("", undefined, `${path} has ${size} bytes: the largest file that is read has 64 MB`, file);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    switch (code) {
      case "ENOENT":
      case "ENOTDIR":
        throw new Error(`JSON specification file ${file} not found in ${dirname(path)}`);
      case "EACCES":
        throw new ConfigError("", undefined, `${path} cannot be read: permission denied`, file);
      default:
        throw new ConfigError("", undefined, `${path} cannot be read: ${code ?? (error as Error).message}`, file);
    }
  }
}

/** What a file is that is no regular one, in words. */
function typeName(stat: Pick<Stat, "mode">): string {
  if (isDirectory(stat)) return "a directory";
  if (isType(stat, "fifo")) return "a fifo";
  return "a device";
}
