/**
 * A tar archive of images, read once from beginning to end: it may be a pipe, and its members come in any order.
 *
 * So large members go into the store at once, under the digest that they turn out to have, before anybody knows what they are for; what was
 * for nothing is removed in the end. Small ones are kept in memory. The reading is tar-stream's, which is enough for archives that
 * tools make of images; those that are layers are read elsewhere.
 */

import { pipeline, Readable, type Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { extract, type Header } from "tar-stream";
import { digestOf, splitDigest } from "../store/digest.ts";
import type { Descriptor } from "../store/documents.ts";
import { ingest, ingestNew, WrongContentError } from "../store/ingest.ts";
import type { Lease } from "../store/lease.ts";
import { LARGEST_DOCUMENT } from "../store/parse-documents.ts";
import { cleanName, HEAD, type Members, type Stored } from "./members.ts";

/** Members up to this many bytes stay in memory… */
const SMALL = 64 << 10;
/** …as long as all of them together have no more than this. */
const MOST_IN_MEMORY = 64 << 20;
const MOST_MEMBERS = 100_000;
const MOST_LINKS = 8;

export class TarMembers implements Members {
  readonly #small = new Map<string, Uint8Array>();
  readonly #large = new Map<string, Stored>();
  readonly #links = new Map<string, string>();
  #inMemory = 0;

  private constructor(readonly label: string) {}

  /**
   * Reads an archive to its end.
   * @throws {Error} one line, for what is no archive or ends too early
   */
  static async read(lease: Lease, label: string, source: AsyncIterable<Uint8Array>): Promise<TarMembers> {
    const members = new TarMembers(label);
    let count = 0;
    try {
      const tar = extract();
      pipeline(await decompressed(source), tar, () => {});
      for await (const entry of tar) {
        if (++count > MOST_MEMBERS) throw new Error(`it has more than ${MOST_MEMBERS} members`);
        await members.#take(lease, entry.header, entry as unknown as AsyncIterable<Uint8Array>);
      }
    } catch (error) {
      const { message } = error as Error;
      throw new Error(
        `${label}: ${/invalid tar|unexpected end|checksum/i.test(message) ? `is no tar archive that can be read: ${message}` : message}`,
      );
    }
    if (count === 0) throw new Error(`${label}: is empty`);
    return members;
  }

  async #take(lease: Lease, header: Header, content: AsyncIterable<Uint8Array>): Promise<void> {
    const name = cleanName(header.name);
    const { type, linkname, size = 0 } = header;
    if (type === "symlink" || type === "link") {
      const target = linkname ?? "";
      this.#links.set(
        name,
        cleanName(
          type === "link" || target.startsWith("/") ? target : `${name.split("/").slice(0, -1).join("/")}/${target}`,
        ),
      );
    }
    if (type !== "file" && type !== "contiguous-file") {
      for await (const _ of content);
      return;
    }
    // Of two members of one name the later counts, as for tar.
    this.#links.delete(name);
    this.#small.delete(name);
    this.#large.delete(name);
    if (size <= SMALL && this.#inMemory + size <= MOST_IN_MEMORY) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of content) chunks.push(chunk);
      this.#inMemory += size;
      this.#small.set(name, Buffer.concat(chunks));
      return;
    }
    const head = new Uint8Array(HEAD);
    let seen = 0;
    async function* observed(): AsyncGenerator<Uint8Array> {
      for await (const chunk of content) {
        if (seen < HEAD) head.set(chunk.subarray(0, HEAD - seen), seen);
        seen += chunk.byteLength;
        yield chunk;
      }
    }
    this.#large.set(name, { ...(await ingestNew(lease, observed())), head });
  }

  /** Where links lead, by names alone. */
  #resolve(name: string): string {
    let at = cleanName(name);
    for (let depth = 0; depth < MOST_LINKS; depth++) {
      const next = this.#links.get(at);
      if (next === undefined) return at;
      at = next;
    }
    throw new Error(`${this.label}: ${name}: is a link to a link, more than ${MOST_LINKS} times`);
  }

  async document(name: string): Promise<Uint8Array | null> {
    const at = this.#resolve(name);
    const large = this.#large.get(at);
    if (large === undefined) return this.#small.get(at) ?? null;
    if (large.size > LARGEST_DOCUMENT)
      throw new Error(
        `${this.label}: ${name}: has ${large.size} bytes, more than the ${LARGEST_DOCUMENT} that are read`,
      );
    return await this.readLarge(large);
  }

  /** Reads what is in the store already; given by who opened it. */
  readLarge: (stored: Stored) => Promise<Uint8Array> = async () => {
    throw new Error("no store to read from");
  };

  async store(lease: Lease, name: string, expected?: Pick<Descriptor, "digest" | "size">): Promise<Stored | null> {
    const at = this.#resolve(name);
    const large = this.#large.get(at);
    const small = this.#small.get(at);
    const size = large?.size ?? small?.byteLength;
    if (size === undefined) return null;
    if (expected !== undefined && expected.size !== size) {
      throw new WrongContentError(`${this.label}: ${name}: has ${size} bytes, and ${expected.size} were announced`);
    }
    if (large !== undefined && (expected === undefined || expected.digest === large.digest)) return large;
    if (large !== undefined && expected !== undefined && splitDigest(expected.digest).algorithm === "sha256") {
      throw new WrongContentError(
        `${this.label}: ${name}: has another digest, ${large.digest} instead of ${expected.digest}`,
      );
    }
    const bytes = small ?? (await this.readLarge(large as Stored));
    const digest = digestOf(bytes, expected === undefined ? "sha256" : splitDigest(expected.digest).algorithm);
    if (expected !== undefined && digest !== expected.digest) {
      throw new WrongContentError(
        `${this.label}: ${name}: has another digest, ${digest} instead of ${expected.digest}`,
      );
    }
    await ingest(lease, { digest, size }, async function* (offset) {
      yield bytes.subarray(offset);
    });
    return { digest, size, head: bytes.slice(0, HEAD) };
  }
}

/** Whole archives are compressed at times. */
async function decompressed(source: AsyncIterable<Uint8Array>): Promise<Readable> {
  const iterator = source[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array(0);
  while (head.byteLength < HEAD) {
    const { value, done } = await iterator.next();
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  async function* whole(): AsyncGenerator<Uint8Array> {
    yield head;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  const readable = Readable.from(whole());
  const format = compressionOf(head);
  if (format === "xz" || format === "bzip2")
    throw new Error(
      `is compressed by ${format}, which is not read: decompress it first (${format} -dc FILE | tsrunc image load)`,
    );
  if (format === "none") return readable;
  const through: Transform = format === "gzip" ? createGunzip() : createZstdDecompress();
  pipeline(readable, through, () => {});
  return through;
}

/** How bytes are compressed, by their beginning. A skippable frame may come before zstd's own. @see RFC 1952, RFC 8878 */
export function compressionOf(head: Uint8Array): "none" | "gzip" | "zstd" | "xz" | "bzip2" {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.byteLength >= 2 && view.getUint16(0) === 0x1f8b) return "gzip";
  if (head.byteLength >= 4) {
    const magic = view.getUint32(0, true);
    if (magic === 0xfd2fb528 || (magic >= 0x184d2a50 && magic <= 0x184d2a5f)) return "zstd";
    if (view.getUint32(0) === 0xfd377a58) return "xz";
  }
  if (head.byteLength >= 3 && head[0] === 0x42 && head[1] === 0x5a && head[2] === 0x68) return "bzip2";
  return "none";
}
