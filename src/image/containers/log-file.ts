/** The log of a container on disk: two files, of which the older one goes when the newer has reached half of the bound. */
import { existsSync, readSync } from "node:fs";
import { type Fd, O, open } from "../../sys/fd.ts";
import { rename } from "../../sys/file.ts";
import { findStat, fstat, isSameFile } from "../../sys/stat.ts";
import { writeAllTo } from "../store/write.ts";

/** What is written to a log. */
export class LogWriter implements Disposable {
  #file: Fd;
  #size: number;
  /** Whether it ends with half a line, of a writer that was killed, or of a disk that was full. */
  #isCut: boolean;

  /** @param path of the newer file; the older has `.1` after that @param bound bytes of both */
  constructor(
    readonly path: string,
    readonly bound: number,
  ) {
    this.#file = this.#open();
    this.#size = fstat(this.#file.number).size;
    this.#isCut = this.#endsInLine();
  }

  #open(): Fd {
    return open(this.path, O.RDWR | O.CREAT | O.APPEND | O.NOFOLLOW, 0o600);
  }

  #endsInLine(): boolean {
    const last = Buffer.alloc(1);
    return this.#size > 0 && readSync(this.#file.number, last, 0, 1, this.#size - 1) === 1 && last[0] !== 10;
  }

  /** @param lines whole ones, none longer than half of the bound @throws {SyscallError} such as ENOSPC */
  write(lines: Uint8Array): void {
    // A disk that is full must not keep it from being opened: the half line is ended only now.
    for (let rest = this.#isCut ? Buffer.concat([Buffer.from("\n"), lines]) : lines; rest.length > 0; ) {
      const room = this.bound / 2 - this.#size;
      const fits = rest.length <= room ? rest.length : (room < 1 ? -1 : rest.lastIndexOf(10, room - 1)) + 1;
      if (fits > 0) {
        this.#append(rest.subarray(0, fits));
        rest = rest.subarray(fits);
      } else if (this.#size > 0) this.#rotate();
      else throw new Error(`${this.path}: a line is longer than half of its bound`);
    }
  }

  #append(bytes: Uint8Array): void {
    try {
      writeAllTo(this.#file.number, bytes, this.path);
    } finally {
      this.#size = fstat(this.#file.number).size;
      this.#isCut = this.#endsInLine();
    }
  }

  #rotate(): void {
    rename(this.path, `${this.path}.1`);
    let next: Fd;
    try {
      next = this.#open();
    } catch (error) {
      rename(`${this.path}.1`, this.path);
      throw error;
    }
    this.#file.close();
    this.#file = next;
    this.#size = 0;
    this.#isCut = false;
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** What is read from a log that is written meanwhile. */
export class LogReader implements Disposable {
  #files: Fd[];

  constructor(readonly path: string) {
    this.#files = openBoth(path);
  }

  /** What there is that was not read yet, in the order in which it was written; empty for nothing. */
  read(): Uint8Array {
    const chunks: Uint8Array[] = [];
    for (;;) {
      const file = this.#files[0];
      if (file === undefined) {
        if (!existsSync(this.path)) break;
        this.#files = openBoth(this.path);
        continue;
      }
      // Looked at before it is read: a file that was replaced gets nothing more.
      const isLast = this.#files.length === 1 && isAt(file, this.path);
      chunks.push(readAll(file));
      if (isLast) break;
      this.#files.shift()?.close();
      if (this.#files.length === 0) {
        if (!existsSync(this.path)) break;
        this.#files.push(open(this.path, O.RDONLY));
      }
    }
    return Buffer.concat(chunks);
  }

  [Symbol.dispose](): void {
    for (const file of this.#files) file.close();
  }
}

/** The older file and the newer, as they belong together. */
function openBoth(path: string): Fd[] {
  for (;;) {
    const newer = existsSync(path) ? open(path, O.RDONLY) : null;
    const older = existsSync(`${path}.1`) ? open(`${path}.1`, O.RDONLY) : null;
    // Rotated in between: it has become the older one.
    if (newer !== null && older !== null && isSameFile(fstat(newer.number), fstat(older.number))) {
      newer.close();
      older.close();
      continue;
    }
    return [older, newer].filter((file) => file !== null);
  }
}

function isAt(file: Fd, path: string): boolean {
  const there = findStat(path);
  return there !== null && isSameFile(there, fstat(file.number));
}

function readAll(file: Fd): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const chunk = Buffer.allocUnsafe(1 << 16);
    const count = readSync(file.number, chunk, 0, chunk.length, null);
    if (count === 0) return Buffer.concat(chunks);
    chunks.push(chunk.subarray(0, count));
  }
}
