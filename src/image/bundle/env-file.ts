/** Files of variables, as of `docker run --env-file`. */
import { readFileSync } from "node:fs";

/**
 * The variables of a file: a `NAME=VALUE` a line, in which nothing is quoted; `NAME` alone takes the caller's. Empty lines, and those that begin with
 * `#`, are passed over.
 * @throws {Error} with file and line, for a name that is empty or has a blank in it, and for what is not UTF-8
 */
export function readEnvFile(path: string): string[] {
  const wrong = (line: number, what: string) => new Error(`--env-file ${path}:${line}: ${what}`);
  const bytes = read(path);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error(`--env-file ${path}: is not text in UTF-8`);
  }
  return text.split(/\r?\n/).flatMap((raw, index) => {
    const line = raw.trimStart();
    if (line === "" || line.startsWith("#")) return [];
    const name = line.split("=", 1)[0] as string;
    if (name === "" || /\s/.test(name) || line.includes("\0"))
      throw wrong(index + 1, `${JSON.stringify(name)} is no name of a variable: NAME=VALUE is right`);
    return [line];
  });
}

function read(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`--env-file ${path}: ${(error as Error).message}`);
  }
}
