/**
 * Content on its way into the store.
 *
 * It is written below `ingest/`, hashed while it is written, and gets its place below `blobs/` by one rename when size and digest are right
 * and the bytes are on the disk. What is interrupted stays below `ingest/`, and the next one goes on where it ended.
 */
import { fdatasyncSync, ftruncateSync } from "node:fs";
import { check, hasErrno, mustSyscall, orNull } from "../../sys/error.ts";
import type { Fd } from "../../sys/fd.ts";
import { rename, unlink } from "../../sys/file.ts";
import { uninterrupted } from "../../sys/io.ts";
import { dirname, join } from "../../sys/path-names.ts";
import { randomHex } from "../../sys/random.ts";
import { fstat } from "../../sys/stat.ts";
import { blobPath, hasBlob, type Identity } from "./blobs.ts";
import { discardDamaged } from "./damaged.ts";
import { type Digest, Digester, splitDigest } from "./digest.ts";
import type { Lease } from "./lease.ts";
import { lock, tryLock } from "./lock.ts";
import { syncDirectory } from "./store.ts";
import { writeAllTo } from "./write.ts";

/** Content from a place on. @param offset bytes that are there already */
export type Source = (offset: number) => AsyncIterable<Uint8Array>;

/** What becomes known on the way. */
export interface IngestListener {
  /** Bytes that are there, of those that were there before too. */
  progress?(bytes: number): void;
  /** Another process writes the same content: it is waited for. */
  waiting?(): void;
  /** What is there already is read once more. @param bytes so far */
  checking?(bytes: number): void;
}

/** What a source gave is not what was asked for. */
export class WrongContentError extends Error {
  override readonly name = "WrongContentError";
}

/**
 * Takes content in whose digest is known, if it is not there yet, or is there and damaged.
 * @param lease  is made to hold on to it
 * @param source asked only for what is not there
 * @returns whether it was `held` already, or has been `written` now
 * @throws {WrongContentError} one line about a wrong size or digest; nothing of it stays, but of what ended too early
 * @throws whatever the source throws
 */
export async function ingest(
  lease: Lease,
  identity: Identity,
  source: Source,
  listener: IngestListener = {},
): Promise<"held" | "written"> {
  const { store } = lease;
  const { digest } = identity;
  await lease.protect([digest]);
  await discardDamaged(store, identity, listener.checking);
  if (hasBlob(store, identity)) return "held";
  const path = join(store.paths.ingest, digest.replace(":", "-"));
  using file = await lock(path, "exclusive", listener.waiting);
  if (hasBlob(store, identity)) {
    unlink(path);
    return "held";
  }
  try {
    await fill(file, path, identity, source, listener);
  } catch (error) {
    // What is of no use is not kept, and neither is what fills the disk.
    const useless = error instanceof WrongContentError || hasErrno(error, "ENOSPC", "EDQUOT", "EFBIG");
    if (useless || fstat(file.number).size === 0) orNull(() => unlink(path));
    throw error;
  }
  publish(file, path, blobPath(store, digest));
  return "written";
}

async function fill(
  file: Fd,
  path: string,
  identity: Identity,
  source: Source,
  listener: IngestListener,
): Promise<void> {
  const { digest, size } = identity;
  const { algorithm } = splitDigest(digest);
  let digester = hashStart(file, algorithm, size);
  for (let offset = digester.size; ; offset = 0) {
    listener.progress?.(offset);
    for await (const chunk of offset === size && size > 0 ? [] : source(offset)) {
      if (digester.size + chunk.byteLength > size) {
        throw new WrongContentError(`${digest}: there are more bytes than the ${size} that were announced`);
      }
      writeAllTo(file.number, chunk, path);
      digester.update(chunk);
      listener.progress?.(digester.size);
    }
    if (digester.size < size) throw new EarlyEndError(`${digest}: ended after ${digester.size} of ${size} bytes`);
    const found = digester.digest();
    if (found === digest) return;
    if (offset === 0) throw new WrongContentError(`${digest}: what was sent has another digest, ${found}`);
    // What was there before may have been wrong already.
    ftruncateSync(file.number);
    mustSyscall("lseek", file.number, 0, 0);
    digester = new Digester(algorithm);
  }
}

/** Content that ended too early; what there is of it is kept. */
export class EarlyEndError extends Error {
  override readonly name = "EarlyEndError";
}

/** Hashes what an earlier try has left, and leaves the file's offset at its end. */
function hashStart(file: Fd, algorithm: Digester["algorithm"], size: number): Digester {
  const digester = new Digester(algorithm);
  if (fstat(file.number).size > size) ftruncateSync(file.number);
  const memory = new Uint8Array(1 << 20);
  for (;;) {
    const count = check(uninterrupted("read", file.number, memory), "read what was fetched before");
    if (count === 0) return digester;
    digester.update(memory.subarray(0, count));
  }
}

function publish(file: Fd, from: string, to: string): void {
  fdatasyncSync(file.number);
  rename(from, to);
  syncDirectory(dirname(to));
}

/**
 * Takes content in that gets its digest, of sha256, by being written.
 * @param lease is made to hold on to it
 * @throws whatever the source throws; nothing of it stays
 */
export async function ingestNew(
  lease: Lease,
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  listener: IngestListener = {},
): Promise<{ digest: Digest; size: number }> {
  const { store } = lease;
  const path = join(store.paths.ingest, `new-${randomHex(12)}`);
  using file = tryLock(path, "exclusive");
  if (file === null) throw new Error(`${path}: is locked by somebody else`);
  const digester = new Digester();
  try {
    for await (const chunk of source) {
      writeAllTo(file.number, chunk, path);
      digester.update(chunk);
      listener.progress?.(digester.size);
    }
    const { size } = digester;
    const digest = digester.digest();
    await lease.protect([digest]);
    // Also in the place of what has that digest already: that may be damaged, and would have to be read to know. Who reads it goes on with it.
    publish(file, path, blobPath(store, digest));
    return { digest, size };
  } catch (error) {
    orNull(() => unlink(path));
    throw error;
  }
}
