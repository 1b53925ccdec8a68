/**
 * Names of files that the image program opens by `node:fs`, which makes U+FFFD of bytes that are not UTF-8 and would open, or write, another
 * file. (What the runtime opens, such as `--volume`, may be called anything.)
 */
import { InvalidArgumentError } from "commander";
import { isEscaped } from "../sys/text.ts";
import { list, type Option, text } from "./option.ts";
import { UsageError } from "./usage-error.ts";

const WHY = "a name that is not UTF-8 cannot be used here";

/** The name of a file or directory; the last occurrence counts. */
export function fileName(
  argument: string,
  help: string,
  extra: Parameters<typeof text>[2] = {},
): Option<string | undefined> {
  return { ...text(argument, help, extra), read: readName };
}

/** Names of files, one an occurrence. */
export function fileNames(argument: string, help: string): Option<string[]> {
  return { ...list(argument, help), read: (given, before) => [...before, readName(given)] };
}

function readName(given: string): string {
  if (isEscaped(given)) throw new InvalidArgumentError(WHY);
  return given;
}

/** @returns the name @throws {UsageError} */
export function toFileName(name: string): string {
  if (!isEscaped(name)) return name;
  const shown = name.replace(/[\udc80-\udcff]/gu, (unit) => `\\x${(unit.charCodeAt(0) - 0xdc00).toString(16)}`);
  throw new UsageError(`"${shown}": ${WHY}`);
}
