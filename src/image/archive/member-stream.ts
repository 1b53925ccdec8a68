/**
 * The members of a tar archive of images, as they come: names, links and contents, no attributes.
 *
 * tar-stream, which writes our archives, reads an extended header of any size into memory; and the reader of layers waits for its bytes,
 * which a thread gives it. The fields are that reader's.
 */
import { type ByteName, nameOfBytes, printable } from "../../sys/byte-name.ts";
import { LayerError } from "../layer/layer-error.ts";
import { type PaxRecord, parsePaxRecords, paxNumber } from "../layer/pax.ts";
import { BLOCK, FIELDS, hasChecksum, isZero, numberField, textField } from "../layer/tar-fields.ts";

export interface Member {
  /** As text: what others write there are digests. */
  name: string;
  type: "file" | "link" | "symlink" | "other";
  linkName: string;
  size: number;
  /** Read it, or leave it: what was not read is passed over. */
  content: AsyncIterable<Uint8Array>;
}

/** Bytes of an extended header: a name, or a few records. */
const LARGEST_HEADER = 1 << 20;

/** @throws {Error} one line, for what is no archive or ends too early */
export async function* readMembers(source: AsyncIterable<Uint8Array>): AsyncGenerator<Member> {
  const reader = new BlockReader(source);
  let records: PaxRecord[] = [];
  let long: { name?: ByteName; linkName?: ByteName } = {};
  for (;;) {
    const header = await reader.header();
    if (header === null) break;
    const flag = String.fromCharCode(header[FIELDS.type.at] as number);
    const size = sizeField(header, records);
    if ("xXgLKV".includes(flag)) {
      const content = await reader.extended(sizeField(header, []));
      if (flag === "x" || flag === "X") records = parsePaxRecords(content);
      if (flag === "L") long = { ...long, name: untilNul(content) };
      if (flag === "K") long = { ...long, linkName: untilNul(content) };
      continue;
    }
    const text = (keyword: string) => records.findLast((record) => record.keyword === keyword)?.value || undefined;
    reader.begin(size);
    yield {
      name: utf8(text("path") ?? long.name ?? nameIn(header)),
      type: TYPES[flag] ?? "other",
      linkName: utf8(text("linkpath") ?? long.linkName ?? textField(header, FIELDS.linkName)),
      size,
      content: reader.content(),
    };
    await reader.finish();
    records = [];
    long = {};
  }
  // What comes after the end is read, so that who writes it into a pipe is not stopped.
  await reader.drain();
}

const TYPES: Readonly<Record<string, Member["type"]>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  "1": "link",
  "2": "symlink",
};

function sizeField(header: Uint8Array, records: readonly PaxRecord[]): number {
  const record = records.findLast(({ keyword }) => keyword === "size");
  const size = record === undefined ? numberField(header, FIELDS.size, "size") : paxNumber(record);
  if (size < 0) throw new LayerError(`a member of ${size} bytes`);
  return size;
}

function nameIn(header: Uint8Array): ByteName {
  const name = textField(header, FIELDS.name);
  const prefix =
    textField(header, { at: FIELDS.magic.at, length: 6 }) === "ustar" ? textField(header, FIELDS.prefix) : "";
  return (prefix === "" ? name : `${prefix}/${name}`) as ByteName;
}

function untilNul(memory: Uint8Array): ByteName {
  const end = memory.indexOf(0);
  return nameOfBytes(end === -1 ? memory : memory.subarray(0, end));
}

/** What is no UTF-8 can be the name of nothing that is looked for, and is shown escaped. */
function utf8(name: ByteName): string {
  return /[\x80-\xff]/.test(name) ? printable(name) : name;
}

class BlockReader {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);
  #position = 0;
  /** Bytes of the current member that were not read yet, and those that fill its last block. */
  #content = 0;
  #padding = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** At most so many bytes, as they lie in memory. @returns `null` at the end */
  async #some(most: number): Promise<Uint8Array | null> {
    while (this.#piece.byteLength === 0) {
      const { value, done } = await this.#iterator.next();
      if (done) return null;
      this.#piece = value;
    }
    const part = this.#piece.subarray(0, most);
    this.#piece = this.#piece.subarray(part.byteLength);
    this.#position += part.byteLength;
    return part;
  }

  async #exactly(count: number): Promise<Uint8Array | null> {
    const whole = new Uint8Array(count);
    for (let length = 0; length < count; ) {
      const part = await this.#some(count - length);
      if (part === null) {
        if (length === 0) return null;
        throw new LayerError(`it ends too early, at byte ${this.#position}`);
      }
      whole.set(part, length);
      length += part.byteLength;
    }
    return whole;
  }

  /** @returns `null` at the end: zeros, or no more bytes */
  async header(): Promise<Uint8Array | null> {
    const at = this.#position;
    const block = await this.#exactly(BLOCK);
    if (block === null || isZero(block)) return null;
    if (!hasChecksum(block)) throw new LayerError(`is no tar archive that can be read: no header at byte ${at}`);
    return block;
  }

  async extended(size: number): Promise<Uint8Array> {
    if (size > LARGEST_HEADER) throw new LayerError(`an extended header of ${size} bytes: more than ${LARGEST_HEADER}`);
    this.begin(size);
    const parts: Uint8Array[] = [];
    for await (const part of this.content()) parts.push(part.slice());
    await this.finish();
    return Buffer.concat(parts);
  }

  begin(size: number): void {
    this.#content = size;
    this.#padding = (BLOCK - (size % BLOCK)) % BLOCK;
  }

  async *content(): AsyncGenerator<Uint8Array> {
    while (this.#content > 0) {
      const part = await this.#some(this.#content);
      if (part === null) throw new LayerError(`it ends too early, at byte ${this.#position}`);
      this.#content -= part.byteLength;
      yield part;
    }
  }

  /** Passes over what is left of a member. */
  async finish(): Promise<void> {
    for await (const _ of this.content());
    this.#content = this.#padding;
    this.#padding = 0;
    // What is cut off in the zeros after the last member has lost nothing.
    while (this.#content > 0) {
      const part = await this.#some(this.#content);
      if (part === null) return;
      this.#content -= part.byteLength;
    }
  }

  async drain(): Promise<void> {
    while ((await this.#some(Number.MAX_SAFE_INTEGER)) !== null);
  }
}
