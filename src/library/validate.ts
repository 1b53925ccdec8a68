/** Checking a config.json in this process, by the rules of `tsrunc validate`: the same code. */
import { ConfigError } from "../config/error.ts";
import { isSpec } from "../config/generated/config.js";
import { isTooDeep } from "../config/json-depth.ts";
import { findJsonError } from "../config/json-error.ts";
import { dropNulls } from "../config/json-nulls.ts";
import { check } from "../config/schema.ts";
import type { Spec } from "../config/types.ts";
import { validateMeaning } from "../config/validate.ts";
import { parseExactly, writeExactly } from "./exact-json.ts";
import { checkValidate } from "./option-tables.ts";

/** Something wrong or odd in a configuration. */
export interface Problem {
  /** Where: a JSON pointer (RFC 6901), `""` for the whole document. */
  pointer: string;
  /** What stands there, where that says something. */
  value: unknown;
  /** The rule that it breaks: `must be an absolute path`. */
  rule: string;
  /** All in one line, as `tsrunc validate` has it. */
  message: string;
}

export type Validation =
  | {
      valid: true;
      /** The configuration, with what the schema has a default for filled in, and without members that are `null`. */
      spec: Spec;
      /** What is odd, but no reason to refuse it, a line each. */
      warnings: string[];
    }
  | { valid: false; errors: [Problem, ...Problem[]] };

export interface ValidateOptions {
  /** The user who is to run it; default: this process's. An ordinary user needs a user namespace. */
  uid?: number;
  /** Whether a container is to be made of it, which takes more than being valid: a process, a root. Default false. */
  forCreate?: boolean;
}

/**
 * Checks a configuration: its form, by the JSON Schema, and then its meaning, as `create` would. No process is started, and the machine is not
 * looked at. Checking ends with the first fault.
 * @param document a parsed config.json, which is not changed, or its text: a text keeps integers beyond 2⁵³, as `bigint`
 */
export function validate(document: unknown, options: ValidateOptions = {}): Validation {
  checkValidate(options);
  const { uid, forCreate = false } = options;
  try {
    const spec = typeof document === "string" ? parse(document) : copy(document);
    dropNulls(spec);
    check(isSpec, spec, FILE);
    const { warnings } = validateMeaning(spec, {
      euid: uid ?? process.geteuid?.() ?? 0,
      inUserNamespace: false,
      forCreate,
    });
    return { valid: true, spec, warnings };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { pointer, value, rule, message } = error;
    return { valid: false, errors: [{ pointer, value, rule, message }] };
  }
}

const FILE = "config.json";

function parse(text: string): unknown {
  const refuse = (rule: string): never => {
    const { line, column, problem } = findJsonError(text);
    throw new ConfigError("", undefined, `${rule}: line ${line}, column ${column}: ${problem}`, FILE);
  };
  if (isTooDeep(text)) refuse("is not readable");
  try {
    return parseExactly(text);
  } catch {
    return refuse("is not JSON");
  }
}

/** A copy, since the check fills in defaults. @throws {ConfigError} for what is no data */
function copy(document: unknown): unknown {
  let text: string | undefined;
  try {
    text = writeExactly(document);
  } catch (error) {
    const [reason = ""] = (error as Error).message.split("\n");
    throw new ConfigError("", undefined, `is not a JSON document: ${reason}`, FILE);
  }
  if (text === undefined) throw new ConfigError("", undefined, `is not a JSON document, but ${typeof document}`, FILE);
  return parse(text);
}
