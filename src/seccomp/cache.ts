/**
 * Filters that were built before, below `--root`: building one of Docker's profile takes 20 ms, four times a container's start.
 *
 * A file has the digest of its contents, then those: the length of the program, the program, and the names that nobody knew, which
 * are told each time. It is taken whole or not at all, and only where nobody but this user can have written it: whoever could put a
 * filter there would choose what containers may do.
 */
import { type Fd, O, open } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { mkdirAll, readOpenDirectory } from "../sys/file.ts";
import { createHash } from "../sys/hash.ts";
import { uninterrupted, writeSome } from "../sys/io.ts";
import { randomNumber } from "../sys/random.ts";
import { findLinkStat, fstat, isType } from "../sys/stat.ts";
import { decode, encode } from "../sys/text.ts";
import type { CompiledFilter } from "./compile.ts";

/** Not an id that a container could have: those have no colon. */
const DIRECTORY = "seccomp:filters";

const DIGEST_BYTES = 32;
const LENGTH_BYTES = 4;
const HEAD_BYTES = DIGEST_BYTES + LENGTH_BYTES;
/** Of names that nobody knew; with more of them, a filter is not kept. */
const LARGEST_NAMES = 1 << 14;
/** Of the largest filter that the kernel takes, what comes before it, and names. */
const LARGEST = HEAD_BYTES + 4096 * 8 + LARGEST_NAMES;
/** How many are kept: an engine has one profile, or a few. */
const MOST_FILTERS = 64;

/** The name of a filter: a digest of all that it depends on. */
export function filterKey(parts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:${part}`);
  return hash.digest("hex");
}

/** Reads a filter; `null` where there is none that can be trusted. */
export function readFilter(root: string, key: string): CompiledFilter | null {
  try {
    using directory = openOwn(`${root}/${DIRECTORY}`);
    if (directory === null) return null;
    using file = open(key, O.RDONLY | O.NOFOLLOW | O.NONBLOCK, 0, directory.number);
    const { mode, uid, size } = fstat(file.number);
    if (!isType({ mode }, "regular") || uid !== process.geteuid?.() || (mode & 0o022) !== 0) return null;
    if (size <= HEAD_BYTES || size > LARGEST) return null;
    const contents = Buffer.alloc(size);
    if (uninterrupted("read", file.number, contents) !== size) return null;
    if (!contents.subarray(0, DIGEST_BYTES).equals(digest(contents.subarray(DIGEST_BYTES)))) return null;
    const end = HEAD_BYTES + contents.readUInt32LE(DIGEST_BYTES);
    const names = decode(contents.subarray(end));
    return { program: contents.subarray(HEAD_BYTES, end), unknown: names === "" ? [] : names.split("\n") };
  } catch {
    // Not there, or not to be read: it is built anew.
    return null;
  }
}

/** Keeps a filter. That it cannot be kept is no failure: it is built again next time. */
export function keepFilter(root: string, key: string, { program, unknown }: CompiledFilter): void {
  const names = encode(unknown.join("\n"));
  if (names.length > LARGEST_NAMES) return;
  try {
    mkdirAll(root, 0o711);
    mkdirAll(`${root}/${DIRECTORY}`, 0o700);
    using directory = openOwn(`${root}/${DIRECTORY}`);
    if (directory === null) return;
    makeRoom(directory);
    const temporary = `.${randomNumber().toString(36).slice(2)}`;
    using file = open(temporary, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, 0o600, directory.number);
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(program.length);
    const kept = Buffer.concat([length, program, names]);
    const contents = Buffer.concat([digest(kept), kept]);
    const whole = writeSome(file.number, contents) === contents.length;
    const renamed = whole && syscall("renameat2", directory.number, temporary, directory.number, key, 0) === 0;
    if (!renamed) syscall("unlinkat", directory.number, temporary, 0);
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
  }
}

/** Opens a directory that is this user's alone; `null` for any other. */
function openOwn(path: string): Fd | null {
  const directory = open(path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  const { uid, mode } = fstat(directory.number);
  if (uid === process.geteuid?.() && (mode & 0o077) === 0) return directory;
  directory.close();
  return null;
}

/** Removes the filters that were written first, so that there is room for one more. */
function makeRoom(directory: Fd): void {
  const names = readOpenDirectory(directory).map(({ name }) => name);
  if (names.length < MOST_FILTERS) return;
  const aged = names
    .map((name) => ({ name, time: findLinkStat(name, directory.number)?.mtime ?? 0n }))
    .sort((one, other) => (one.time < other.time ? -1 : 1));
  for (const { name } of aged.slice(0, names.length - MOST_FILTERS + 1)) syscall("unlinkat", directory.number, name, 0);
}

function digest(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}
