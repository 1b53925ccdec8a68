/** Tar archives as tests want them, however wrong. */

/** An entry; what is not given is an ordinary file's. Names are bytes when they are a Buffer. */
export interface TarSpec {
  name: string | Buffer;
  /** The typeflag. */
  type?: string;
  content?: string | Buffer;
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  linkName?: string;
  major?: number;
  minor?: number;
  /** What the header says of the size; default: the content's. */
  size?: number;
  /** PAX records. */
  pax?: Record<string, string | Buffer>;
  /** Puts in other bytes of the header before its checksum is made. */
  patch?: (header: Buffer) => void;
  /** Leaves the checksum wrong. */
  badChecksum?: boolean;
}

export function paxRecord(keyword: string, value: string | Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${keyword}=`), Buffer.from(value), Buffer.from("\n")]);
  let length = body.length + 1;
  while (`${length}`.length + body.length !== length) length = `${length}`.length + body.length;
  return Buffer.concat([Buffer.from(`${length}`), body]);
}

function numberBytes(value: number, length: number): Buffer {
  const octal = value < 0 ? "" : value.toString(8);
  if (value >= 0 && octal.length < length) return Buffer.from(`${octal.padStart(length - 1, "0")}\0`);
  const bytes = Buffer.alloc(length);
  let rest = BigInt.asUintN(8 * length, BigInt(value));
  for (let at = length - 1; at >= 0; at--, rest >>= 8n) bytes[at] = Number(rest & 0xffn);
  bytes[0] = (bytes[0] as number) | 0x80;
  return bytes;
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

/** One entry, with the headers before it. */
export function tarEntry(spec: TarSpec): Buffer {
  const {
    type = "0",
    mode = type === "5" ? 0o755 : 0o644,
    uid = 0,
    gid = 0,
    mtime = 1_000_000_000,
    linkName = "",
  } = spec;
  const content = Buffer.from(spec.content ?? "");
  const parts: Buffer[] = [];
  if (spec.pax !== undefined) {
    const records = Buffer.concat(Object.entries(spec.pax).map(([keyword, value]) => paxRecord(keyword, value)));
    parts.push(tarEntry({ name: "PaxHeaders/x", type: "x", content: records }));
  }
  const header = Buffer.alloc(512);
  Buffer.from(spec.name as string).copy(header, 0, 0, 100);
  numberBytes(mode, 8).copy(header, 100);
  numberBytes(uid, 8).copy(header, 108);
  numberBytes(gid, 8).copy(header, 116);
  numberBytes(spec.size ?? content.length, 12).copy(header, 124);
  numberBytes(mtime, 12).copy(header, 136);
  header.write(type, 156, "latin1");
  Buffer.from(linkName).copy(header, 157, 0, 100);
  header.write("ustar\x0000", 257, "latin1");
  numberBytes(spec.major ?? 0, 8).copy(header, 329);
  numberBytes(spec.minor ?? 0, 8).copy(header, 337);
  spec.patch?.(header);
  header.fill(" ", 148, 156);
  const sum = header.reduce((total, byte) => total + byte, spec.badChecksum ? 1 : 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return Buffer.concat([...parts, header, padded(content)]);
}

/** A GNU long name before an entry. */
export function gnuLong(type: "L" | "K", name: string, entry: TarSpec): Buffer {
  return Buffer.concat([tarEntry({ name: "././@LongLink", type, content: `${name}\0` }), tarEntry(entry)]);
}

/** A whole archive. */
export function tar(...entries: readonly (TarSpec | Buffer)[]): Buffer {
  return Buffer.concat([
    ...entries.map((entry) => (Buffer.isBuffer(entry) ? entry : tarEntry(entry))),
    Buffer.alloc(1024),
  ]);
}
