/**
 * Reads tar archives as layers come: ustar, PAX, GNU and the oldest form, with long names, xattrs and sparse files.
 *
 * A reader of our own: those of npm make texts of names, which are bytes, know no sparse files and no xattrs, and hand over content by
 * streams, a turn of the event loop a piece; here a file's content is written from where it was decompressed to.
 *
 * Global PAX headers are passed over, as the tools do that made the world's images ("git archive" writes a comment there).
 *
 * @see POSIX.1-2017 pax; GNU tar manual, "Tar Internals"; image-spec layer.md
 */
import type { ByteName } from "../../sys/byte-name.ts";
import { nameOfBytes } from "../../sys/byte-name.ts";
import { ByteReader, type ByteSource } from "./byte-source.ts";
import { LayerError, quoted } from "./layer-error.ts";
import { type PaxRecord, parsePaxRecords, paxNumber, paxTime } from "./pax.ts";
import { checkMap, paxMap, paxSparseSize, readOldGnuMap, readPaxMapOfData, type SparsePart } from "./sparse.ts";
import { BLOCK, FIELDS, hasChecksum, isZero, numberField, textField } from "./tar-fields.ts";

export type EntryType = "file" | "hardLink" | "symlink" | "characterDevice" | "blockDevice" | "directory" | "fifo";

/** An entry of an archive, as its headers say. */
export interface TarEntry {
  /** As in the archive. */
  name: ByteName;
  type: EntryType;
  /** Of links; else empty. */
  linkName: ByteName;
  /** Permissions with setuid, setgid and sticky bit; no type. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of the file, holes among them; 0 for what has no content. */
  size: number;
  /** Nanoseconds since 1970. */
  mtime: bigint;
  /** Numbers of a device. */
  major: number;
  minor: number;
  /** Values are bytes. */
  xattrs: ReadonlyMap<ByteName, ByteName>;
  /** What of a sparse file has data; `null` for a file without holes. */
  sparse: readonly SparsePart[] | null;
}

const TYPES: Readonly<Record<string, EntryType>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  S: "file",
  "1": "hardLink",
  "2": "symlink",
  "3": "characterDevice",
  "4": "blockDevice",
  "5": "directory",
  "6": "fifo",
};

/** Bytes of a PAX header or a long name: xattrs are the largest that they have, 64 KiB each. */
const LARGEST_HEADER = 4 << 20;

const XATTR = "SCHILY.xattr.";

/** What headers before an entry's own say of it. */
interface Extension {
  records: PaxRecord[];
  name: ByteName | null;
  linkName: ByteName | null;
}

export class TarReader {
  readonly #reader: ByteReader;
  /** Bytes of the current entry's content, and of its padding, that were not read yet. */
  #content = 0;
  #padding = 0;

  constructor(source: ByteSource) {
    this.#reader = new ByteReader(source);
  }

  /** Bytes of the archive read so far. */
  get position(): number {
    return this.#reader.position;
  }

  /**
   * The next entry; what was not read of the last one is passed over.
   * @returns `null` at the archive's end, after which all that may follow has been read, too
   * @throws {LayerError} for what is no archive, or is cut off
   */
  next(): TarEntry | null {
    this.#reader.skip(this.#content + this.#padding);
    this.#content = 0;
    this.#padding = 0;
    const extension: Extension = { records: [], name: null, linkName: null };
    for (;;) {
      const header = this.#header();
      if (header === null) {
        if (extension.records.length > 0 || extension.name !== null)
          throw new LayerError("the archive ends after an extended header");
        this.#reader.drain();
        return null;
      }
      const type = String.fromCharCode(header[FIELDS.type.at] as number);
      if (!this.#extend(extension, type, header)) return this.#entry(type, header, extension);
    }
  }

  /**
   * The current entry's content as the archive has it: of a sparse file only the parts with data, one after the other.
   * @param take gets each piece, valid during the call
   */
  content(take: (piece: Uint8Array) => void): void {
    const bytes = this.#content;
    this.#content = 0;
    this.#reader.each(bytes, take);
  }

  /** A header's block. @returns `null` at the end: zeros, or no more bytes */
  #header(): Uint8Array | null {
    const at = this.#reader.position;
    const block = this.#reader.exactly(BLOCK);
    if (block === null) {
      if (this.#reader.position === at) return null;
      throw new LayerError(`the archive ends within a header, at byte ${this.#reader.position}`);
    }
    if (isZero(block)) {
      // Two of them are the end. After one, some readers go on, and would see other files than we do; Go's refuses, and so Docker.
      const second = this.#reader.exactly(BLOCK);
      if (second === null || isZero(second)) return null;
      throw new LayerError(`a single block of zeros at byte ${at}, and something else after it`);
    }
    if (!hasChecksum(block)) throw new LayerError(`no tar header at byte ${at}`);
    return block;
  }

  /** Takes up a header that belongs to the entry after it. @returns `false` when it is an entry itself */
  #extend(extension: Extension, type: string, header: Uint8Array): boolean {
    switch (type) {
      case "x":
      case "X":
        extension.records = parsePaxRecords(this.#headerContent(header));
        return true;
      case "g":
        parsePaxRecords(this.#headerContent(header));
        return true;
      case "L":
        extension.name = untilNul(this.#headerContent(header));
        return true;
      case "K":
        extension.linkName = untilNul(this.#headerContent(header));
        return true;
      case "V":
        this.#headerContent(header);
        return true;
      default:
        return false;
    }
  }

  #headerContent(header: Uint8Array): Uint8Array {
    const size = sizeOf(header);
    if (size > LARGEST_HEADER) throw new LayerError(`an extended header of ${size} bytes: more than ${LARGEST_HEADER}`);
    const content = size === 0 ? new Uint8Array(0) : this.#reader.exactly(size);
    if (content === null) throw new LayerError("the archive ends within an extended header");
    const kept = content.slice();
    this.#reader.skip(paddingOf(size));
    return kept;
  }

  #entry(flag: string, header: Uint8Array, { records, name, linkName }: Extension): TarEntry {
    const entry: TarEntry & { xattrs: Map<ByteName, ByteName> } = {
      name: name ?? headerName(header),
      type: "file",
      linkName: linkName ?? textField(header, FIELDS.linkName),
      mode: 0,
      uid: 0,
      gid: 0,
      size: 0,
      mtime: 0n,
      major: 0,
      minor: 0,
      xattrs: NO_XATTRS,
      sparse: null,
    };
    const texts = new Map(records.map((record) => [record.keyword as string, record]));
    const text = (keyword: string) => texts.get(keyword)?.value || null;
    entry.name = text("GNU.sparse.name") ?? text("path") ?? entry.name;
    entry.linkName = text("linkpath") ?? entry.linkName;
    try {
      this.#fill(entry, flag, header, texts, records);
    } catch (error) {
      if (error instanceof LayerError) throw new LayerError(`${quoted(entry.name)}: ${error.message}`);
      throw error;
    }
    return entry;
  }

  #fill(
    entry: TarEntry & { xattrs: Map<ByteName, ByteName> },
    flag: string,
    header: Uint8Array,
    texts: ReadonlyMap<string, PaxRecord>,
    records: readonly PaxRecord[],
  ): void {
    if (entry.name.includes("\0") || entry.linkName.includes("\0")) throw new LayerError("a name with a NUL in it");
    const number = (keyword: "uid" | "gid" | "size") => {
      const record = texts.get(keyword);
      return record === undefined || record.value === ""
        ? numberField(header, FIELDS[keyword], keyword)
        : paxNumber(record);
    };
    entry.mode = numberField(header, FIELDS.mode, "mode") & 0o7777;
    entry.uid = number("uid");
    entry.gid = number("gid");
    const time = texts.get("mtime");
    entry.mtime =
      time === undefined || time.value === ""
        ? BigInt(numberField(header, FIELDS.mtime, "mtime")) * 1_000_000_000n
        : paxTime(time);
    entry.type = typeOf(flag, entry.name);
    if (entry.type === "characterDevice" || entry.type === "blockDevice") {
      entry.major = numberField(header, FIELDS.major, "major number");
      entry.minor = numberField(header, FIELDS.minor, "minor number");
    }
    for (const { keyword, value } of records) {
      if (!keyword.startsWith(XATTR)) continue;
      if (entry.xattrs === NO_XATTRS) entry.xattrs = new Map();
      entry.xattrs.set(keyword.slice(XATTR.length) as ByteName, value);
    }
    const size = number("size");
    if (size < 0) throw new LayerError(`a size of ${size}`);
    this.#content = size;
    this.#padding = paddingOf(size);
    if (entry.type !== "file") {
      if (entry.type !== "hardLink") refuseContent(entry.type, size);
      return;
    }
    entry.size = size;
    this.#takeSparseMap(entry, flag, header, texts, records);
  }

  #takeSparseMap(
    entry: TarEntry,
    flag: string,
    header: Uint8Array,
    texts: ReadonlyMap<string, PaxRecord>,
    records: readonly PaxRecord[],
  ): void {
    const size = paxSparseSize(records);
    if (flag === "S") {
      const map = readOldGnuMap(header, this.#reader);
      entry.sparse = map.parts;
      entry.size = map.size;
    } else if (texts.get("GNU.sparse.major")?.value === "1" && texts.get("GNU.sparse.minor")?.value === "0") {
      const { parts, bytes } = readPaxMapOfData(this.#reader);
      if (bytes > this.#content) throw new LayerError("the map of a sparse file is longer than the entry");
      this.#content -= bytes;
      entry.sparse = parts;
    } else if (texts.has("GNU.sparse.major")) {
      throw new LayerError("a sparse file of a form that is not known");
    } else {
      entry.sparse = paxMap(records);
    }
    if (entry.sparse === null) return;
    if (flag !== "S") {
      if (size === null) throw new LayerError("a sparse file without its size");
      entry.size = size;
    }
    if (entry.size < 0) throw new LayerError(`a size of ${entry.size}`);
    checkMap(entry.sparse, entry.size, this.#content);
  }
}

const NO_XATTRS = new Map<ByteName, ByteName>();

/** A name that ends with a slash is a directory's, whatever the flag says: the oldest form has no flag for them. */
function typeOf(flag: string, name: ByteName): EntryType {
  const type = Object.hasOwn(TYPES, flag) ? TYPES[flag] : undefined;
  if (type === undefined) throw new LayerError(`an entry of an unknown type, ${JSON.stringify(flag)}`);
  return type === "file" && name.endsWith("/") ? "directory" : type;
}

function refuseContent(type: EntryType, size: number): void {
  if (size !== 0 && type !== "directory") throw new LayerError(`a ${type} with ${size} bytes of content`);
}

function headerName(header: Uint8Array): ByteName {
  const name = textField(header, FIELDS.name);
  // GNU's header has other things in the place of the prefix.
  const isUstar = textField(header, { at: FIELDS.magic.at, length: 6 }) === "ustar";
  const prefix = isUstar ? textField(header, FIELDS.prefix) : "";
  return (prefix === "" ? name : `${prefix}/${name}`) as ByteName;
}

function sizeOf(header: Uint8Array): number {
  const size = numberField(header, FIELDS.size, "size");
  if (size < 0) throw new LayerError(`a size of ${size}`);
  return size;
}

function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

function untilNul(memory: Uint8Array): ByteName {
  const end = memory.indexOf(0);
  return nameOfBytes(end === -1 ? memory : memory.subarray(0, end));
}
