/** The file with the container process's pid. */

import { O, open } from "../sys/fd.ts";
import { removeAll, rename, writeFile, writeOpenFile } from "../sys/file.ts";
import { checkOutputFile } from "../sys/output-path.ts";
import { basename, dirname, join } from "../sys/path-names.ts";
import { findStat, isDirectory, isType } from "../sys/stat.ts";

/** Refuses one that cannot be written, before there is a process. @param path absolute @throws {Error} */
export function checkPidFile(path: string): void {
  try {
    checkOutputFile(path, "renamed");
  } catch (error) {
    throw new Error(`--pid-file ${path}: ${(error as Error).message}`);
  }
}

/**
 * Writes a pid file: to a temporary name, then renamed, so that whoever waits for it never reads half of it. What is there and no file, such
 * as `/dev/null` or a pipe, is written to: a rename would take the device from everybody.
 * @param path absolute
 */
export function writePidFile(path: string, pid: number): void {
  try {
    const there = findStat(path);
    if (there === null || isType(there, "regular") || isDirectory(there)) writeAside(path, String(pid));
    else writeInto(path, String(pid));
  } catch (error) {
    throw new Error(`write the pid file ${path}: ${(error as Error).message}`);
  }
}

function writeAside(path: string, text: string): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}`);
  try {
    writeFile(temporary, text, { exclusive: true, mode: 0o644 });
    rename(temporary, path);
  } catch (error) {
    removeAll(temporary);
    throw error;
  }
}

/** A pipe that nobody reads is an error, and nothing to wait for. */
function writeInto(path: string, text: string): void {
  using target = open(path, O.WRONLY | O.NONBLOCK | O.NOCTTY);
  writeOpenFile(target, path, text);
}
