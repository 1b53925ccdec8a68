/** The file with the container process's pid. */

import { removeAll, rename, writeFile } from "../sys/file.ts";
import { basename, dirname, join } from "../sys/path-names.ts";

/**
 * Writes a pid file: to a temporary name, then renamed, so that whoever waits for it never reads half of it.
 * @param path absolute
 */
export function writePidFile(path: string, pid: number): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}`);
  try {
    writeFile(temporary, String(pid), { exclusive: true, mode: 0o644 });
    rename(temporary, path);
  } catch (error) {
    removeAll(temporary);
    throw new Error(`write the pid file ${path}: ${(error as Error).message}`);
  }
}
