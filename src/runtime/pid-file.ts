/** The file with the container process's pid. */
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/**
 * Writes a pid file: to a temporary name, then renamed, so that whoever waits for it never reads half of it.
 * @param path absolute
 */
export function writePidFile(path: string, pid: number): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}`);
  try {
    writeFileSync(temporary, String(pid), { flag: "wx", mode: 0o644 });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new Error(`write the pid file ${path}: ${(error as Error).message}`);
  }
}
