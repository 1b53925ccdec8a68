/**
 * A tar archive of images, read once from beginning to end: it may be a pipe, and its members come in any order.
 *
 * So large members go into the store at once, under the digest that they turn out to have, before anybody knows what they are for; what was
 * for nothing is removed in the end. Small ones are kept in memory.
 */
import { digestOf, splitDigest } from "../store/digest.ts";
import type { Descriptor } from "../store/documents.ts";
import { ingest, ingestNew, WrongContentError } from "../store/ingest.ts";
import type { Lease } from "../store/lease.ts";
import { LARGEST_DOCUMENT } from "../store/parse-documents.ts";
import { readRange } from "../store/read-range.ts";
import { type ArchiveLimits, decompressed } from "./decompress.ts";
import { type Member, readMembers } from "./member-stream.ts";
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
  static async read(
    lease: Lease,
    label: string,
    source: AsyncIterable<Uint8Array>,
    limits: ArchiveLimits,
  ): Promise<TarMembers> {
    const members = new TarMembers(label);
    let count = 0;
    try {
      for await (const member of readMembers(await decompressed(source, limits, "tsrunc image load"))) {
        if (++count > MOST_MEMBERS) throw new Error(`it has more than ${MOST_MEMBERS} members`);
        await members.#take(lease, member);
      }
    } catch (error) {
      throw new Error(`${label}: ${(error as Error).message}`, { cause: error });
    }
    if (count === 0) throw new Error(`${label}: is empty`);
    return members;
  }

  async #take(lease: Lease, { name: given, type, linkName, size, content }: Member): Promise<void> {
    const name = cleanName(given);
    if (type === "symlink" || type === "link") {
      this.#links.set(
        name,
        cleanName(
          type === "link" || linkName.startsWith("/")
            ? linkName
            : `${name.split("/").slice(0, -1).join("/")}/${linkName}`,
        ),
      );
    }
    if (type !== "file") return;
    // Of two members of one name the later counts, as for tar.
    this.#links.delete(name);
    this.#small.delete(name);
    this.#large.delete(name);
    if (size <= SMALL && this.#inMemory + size <= MOST_IN_MEMORY) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of content) chunks.push(chunk.slice());
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
    if (large !== undefined) return await this.#storeLarge(lease, name, large, expected);
    const bytes = small as Uint8Array;
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

  /** What is in the store already, maybe under another digest than the one that it is called by. */
  async #storeLarge(
    lease: Lease,
    name: string,
    large: Stored,
    expected: Pick<Descriptor, "digest" | "size"> = large,
  ): Promise<Stored> {
    if (expected.digest === large.digest) return large;
    if (splitDigest(expected.digest).algorithm === splitDigest(large.digest).algorithm) {
      throw new WrongContentError(
        `${this.label}: ${name}: has another digest, ${large.digest} instead of ${expected.digest}`,
      );
    }
    await ingest(lease, expected, (offset) => readRange(lease.store, large, offset, large.size - offset));
    return { ...expected, head: large.head };
  }
}
