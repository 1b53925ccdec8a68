/** What `load` and `import` are given: a directory, or an archive in a file or on stdin. */
import { createReadStream, existsSync, statSync } from "node:fs";

/** An archive, not read yet. */
export interface ArchiveInput {
  kind: "archive";
  /** For messages: its path, or `stdin`. */
  label: string;
  /** Bytes; `null` where nobody knows. */
  size: number | null;
  open(): AsyncIterable<Uint8Array>;
}

/** Bytes that are read at a time. */
const CHUNK = 1 << 20;

/** @param path `-` for stdin @throws {Error} when nothing is there */
export function findInput(path: string): ArchiveInput | { kind: "directory"; path: string } {
  if (path === "-") {
    const open = () => createReadStream("", { fd: 0, autoClose: false, highWaterMark: CHUNK });
    return { kind: "archive", label: "stdin", size: null, open };
  }
  if (!existsSync(path)) throw new Error(`${path}: is not there: an archive or a directory is expected`);
  const stat = statSync(path);
  if (stat.isDirectory()) return { kind: "directory", path };
  const open = () => createReadStream(path, { highWaterMark: CHUNK });
  return { kind: "archive", label: path, size: stat.size, open };
}
