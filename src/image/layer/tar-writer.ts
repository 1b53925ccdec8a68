/**
 * Writes tar archives as layers are written: ustar, with PAX records for what has no room there. The same entries give the same bytes.
 * @see POSIX.1-2017 pax; image-spec layer.md
 */
import { type ByteName, bytesOfName } from "../../sys/byte-name.ts";
import { BLOCK, FIELDS } from "./tar-fields.ts";
import type { EntryType, TarEntry } from "./tar-reader.ts";

/** What is written of an entry. A sparse file is written whole. */
export type WrittenEntry = Omit<TarEntry, "sparse">;

const FLAGS: Readonly<Record<EntryType, string>> = {
  file: "0",
  hardLink: "1",
  symlink: "2",
  characterDevice: "3",
  blockDevice: "4",
  directory: "5",
  fifo: "6",
};

const SECOND = 1_000_000_000n;

/** The headers of an entry; its content and {@link padding} follow. */
export function headerOf(entry: WrittenEntry): Uint8Array {
  const records = recordsOf(entry);
  const own = block(entry, FLAGS[entry.type]);
  if (records.length === 0) return own;
  const content = Buffer.concat(records);
  const extended: WrittenEntry = {
    ...entry,
    name: "PaxHeaders/entry" as ByteName,
    linkName: "" as ByteName,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 0n,
    size: content.length,
  };
  return Buffer.concat([block(extended, "x"), content, padding(content.length), own]);
}

/** Zeros that fill a block after so many bytes. */
export function padding(bytes: number): Uint8Array {
  return new Uint8Array((BLOCK - (bytes % BLOCK)) % BLOCK);
}

/** What ends an archive. */
export function endOfArchive(): Uint8Array {
  return new Uint8Array(2 * BLOCK);
}

function recordsOf(entry: WrittenEntry): Buffer[] {
  const records: Buffer[] = [];
  const add = (keyword: string, value: Uint8Array | string) =>
    void records.push(record(keyword, Buffer.from(value as string)));
  if (!fits(entry.name, FIELDS.name.length)) add("path", bytesOfName(entry.name));
  if (!fits(entry.linkName, FIELDS.linkName.length)) add("linkpath", bytesOfName(entry.linkName));
  for (const field of ["uid", "gid", "size"] as const)
    if (!hasRoom(entry[field], FIELDS[field].length)) add(field, `${entry[field]}`);
  const { mtime } = entry;
  if (mtime < 0n || mtime % SECOND !== 0n || !hasRoom(Number(mtime / SECOND), FIELDS.mtime.length))
    add("mtime", timeText(mtime));
  for (const name of [...entry.xattrs.keys()].sort())
    add(`SCHILY.xattr.${name}`, bytesOfName(entry.xattrs.get(name) as ByteName));
  return records;
}

/** Names that are not ASCII go to PAX records, too, where they are bytes for those who write layers. */
function fits(name: ByteName, room: number): boolean {
  return name.length <= room && !/[\x80-\xff]/.test(name);
}

function hasRoom(value: number, length: number): boolean {
  return value >= 0 && value < 8 ** (length - 1);
}

function timeText(time: bigint): string {
  const magnitude = time < 0n ? -time : time;
  const fraction = `${magnitude % SECOND}`.padStart(9, "0").replace(/0+$/, "");
  return `${time < 0n ? "-" : ""}${magnitude / SECOND}${fraction === "" ? "" : `.${fraction}`}`;
}

/** A record says its own length. */
function record(keyword: string, value: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${keyword}=`, "latin1"), value, Buffer.from("\n")]);
  let length = body.length;
  while (`${length}`.length + body.length !== length) length = `${length}`.length + body.length;
  return Buffer.concat([Buffer.from(`${length}`), body]);
}

function block(entry: WrittenEntry, flag: string): Buffer {
  const header = Buffer.alloc(BLOCK);
  const number = (field: { at: number; length: number }, value: number) => {
    const kept = hasRoom(value, field.length) ? value : 0;
    header.write(kept.toString(8).padStart(field.length - 1, "0"), field.at, "latin1");
  };
  header.write(entry.name.slice(0, FIELDS.name.length), FIELDS.name.at, "latin1");
  header.write(entry.linkName.slice(0, FIELDS.linkName.length), FIELDS.linkName.at, "latin1");
  number(FIELDS.mode, entry.mode);
  number(FIELDS.uid, entry.uid);
  number(FIELDS.gid, entry.gid);
  number(FIELDS.size, entry.type === "file" ? entry.size : flag === "x" ? entry.size : 0);
  number(FIELDS.mtime, Number(entry.mtime / SECOND));
  number(FIELDS.major, entry.major);
  number(FIELDS.minor, entry.minor);
  header.write(flag, FIELDS.type.at, "latin1");
  header.write("ustar\x0000", FIELDS.magic.at, "latin1");
  header.fill(" ", FIELDS.checksum.at, FIELDS.checksum.at + FIELDS.checksum.length);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, FIELDS.checksum.at, "latin1");
  return header;
}
