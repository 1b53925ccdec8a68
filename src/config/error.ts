/** The error of a configuration that cannot be used. */

import { shorten } from "../sys/shorten.ts";

/** Says, in one line: which file, where in it, what stands there, and the rule that it breaks. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";

  /**
   * @param pointer JSON pointer to the value, `""` for the whole document
   * @param value   what stands there; `undefined` when nothing does, or when it would say nothing
   * @param rule    what it breaks: `must be an absolute path`
   * @param file    name of the file
   */
  constructor(
    readonly pointer: string,
    readonly value: unknown,
    readonly rule: string,
    readonly file: string = "config.json",
  ) {
    super([file, shorten(pointer, LONGEST_POINTER), show(value), rule].filter((part) => part !== "").join(": "));
  }

  /** The same error about another file. */
  in(file: string): ConfigError {
    return new ConfigError(this.pointer, this.value, this.rule, file);
  }
}

/** Has the configuration errors of what it does name a file. */
export function inFile(file: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    throw error instanceof ConfigError ? error.in(file) : error;
  }
}

/** A segment of a JSON pointer. @see RFC 6901, section 3 */
export function segment(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

const LONGEST = 80;
const LONGEST_POINTER = 240;

function show(value: unknown): string {
  if (value === undefined) return "";
  const text = typeof value === "bigint" ? String(value) : JSON.stringify(value);
  return shorten(text, LONGEST);
}
