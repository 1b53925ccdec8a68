/**
 * What was changed in a snapshot, as a layer: its upper directory as a tar archive, overlayfs's marks as whiteouts.
 *
 *     const { chunks, diffId } = diffSnapshot(store, snapshot, { compression: "zstd", sourceDateEpoch });
 *     const descriptor = await ingestNew(lease, chunks, …);   // the store's: it digests what it writes
 *     config.rootfs.diff_ids.push(await diffId());            // known when the chunks have been read
 *
 * The same tree gives the same bytes: entries come in the order of their names' bytes. Unmount the snapshot before, or let nobody write to it.
 *
 * @see image-spec layer.md, "Representing Changes"; overlayfs.rst
 */
import { readSync } from "node:fs";
import { Readable } from "node:stream";
import { createGzip, createZstdCompress } from "node:zlib";
import { closeFd, ENTRY_TYPE, listDirectory, type NamedEntry, openAt, readLinkAt, statAt } from "../../sys/at.ts";
import { type ByteName, joinNames, printable } from "../../sys/byte-name.ts";
import { check } from "../../sys/error.ts";
import { O, open } from "../../sys/fd.ts";
import { createHash } from "../../sys/hash.ts";
import { join } from "../../sys/path-names.ts";
import { isDirectory, isType, type Stat } from "../../sys/stat.ts";
import type { Compression } from "../layer/compression.ts";
import { isOpaque, isWhiteout, type OverlayNamespace } from "../layer/lower-layers.ts";
import { Notices } from "../layer/notices.ts";
import type { EntryType } from "../layer/tar-reader.ts";
import { endOfArchive, headerOf, padding, type WrittenEntry } from "../layer/tar-writer.ts";
import type { Store } from "../store/store.ts";
import { Below, keptXattrs, SELF } from "./below.ts";
import { layersOfSnapshot, type Snapshot, snapshotDirectory } from "./snapshot.ts";

export interface DiffOptions {
  compression: Compression;
  /** Seconds since 1970: later times become this one, so that a layer made again is the same. @see reproducible-builds.org, SOURCE_DATE_EPOCH */
  sourceDateEpoch?: number;
}

export interface Diff {
  /** The layer; read it once. */
  chunks: AsyncIterable<Uint8Array>;
  /** The digest of the plain archive. @throws {Error} before the chunks have been read */
  diffId(): `sha256:${string}`;
  /** Whether anything was changed. @throws {Error} before the chunks have been read */
  isEmpty(): boolean;
  /** What could not be kept, a line a kind. */
  notices(): string[];
}

/** What was changed in a snapshot. */
export function diffSnapshot(store: Store, snapshot: Snapshot, options: DiffOptions): Diff {
  const upper = join(snapshotDirectory(store, snapshot.id), "upper");
  return diffDirectory(upper, {
    ...options,
    namespace: snapshot.namespace,
    lower: layersOfSnapshot(store, snapshot).reverse(),
  });
}

/** {@link diffSnapshot}, of any directory in overlayfs's form. @param lower root directories of the layers below it, the uppermost first */
export function diffDirectory(
  upper: string,
  {
    compression,
    sourceDateEpoch,
    namespace,
    lower,
  }: DiffOptions & { namespace: OverlayNamespace; lower: readonly string[] },
): Diff {
  const hash = createHash("sha256");
  const notices = new Notices();
  const latest = sourceDateEpoch === undefined ? null : BigInt(sourceDateEpoch) * 1_000_000_000n;
  const writer = new DiffWriter(namespace, latest, notices);
  let digest: string | undefined;
  const plain = function* (): Generator<Uint8Array> {
    for (const chunk of writer.archive(upper, lower)) {
      hash.update(chunk);
      yield chunk;
    }
    digest = hash.digest("hex");
  };
  const read = <T>(value: () => T): T => {
    if (digest === undefined) throw new Error("the diff has not been read to its end");
    return value();
  };
  return {
    chunks: compressed(plain(), compression),
    diffId: () => read(() => `sha256:${digest}` as const),
    isEmpty: () => read(() => writer.entries === 0),
    notices: () => notices.lines(),
  };
}

function compressed(plain: Iterable<Uint8Array>, compression: Compression): AsyncIterable<Uint8Array> {
  const source = Readable.from(plain, { objectMode: false, highWaterMark: 1 << 20 });
  if (compression === "none") return source;
  // A gzip header without a name and a time, so that it is the same again.
  const encoder =
    compression === "gzip" ? createGzip({ chunkSize: 1 << 18 }) : createZstdCompress({ chunkSize: 1 << 18 });
  source.on("error", (error) => encoder.destroy(error));
  return source.pipe(encoder);
}

/** Bytes of content that are read at a time. */
const CHUNK = 1 << 20;

class DiffWriter {
  entries = 0;
  /** First names of files that have several, by inode. */
  readonly #links = new Map<bigint, ByteName>();

  constructor(
    private readonly namespace: OverlayNamespace,
    private readonly latest: bigint | null,
    private readonly notices: Notices,
  ) {}

  *archive(upper: string, lower: readonly string[]): Generator<Uint8Array> {
    using root = open(upper, O.RDONLY | O.DIRECTORY);
    using below = new Below(lower, this.namespace);
    if (below.hasRootOtherThan(root.number)) {
      const stat = statAt(root.number, SELF) as Stat;
      yield this.#header("./" as ByteName, "directory", stat, root.number, SELF);
    }
    yield* this.#content(root.number, SELF, below);
    yield endOfArchive();
  }

  /** @param below what the layers below have there; `null` where none of it is seen */
  *#content(fd: number, path: ByteName, below: Below | null): Generator<Uint8Array> {
    const entries = listDirectory(fd);
    if (typeof entries === "number") return void check(entries, () => `read ${printable(path)}`);
    // Whiteouts come first: what a reader finds of a name after one is this layer's. @see image-spec, layer.md, "Whiteouts"
    const isRemoved = ({ name, type }: NamedEntry) => {
      if (type !== ENTRY_TYPE.unknown && type !== ENTRY_TYPE.characterDevice) return false;
      const stat = statAt(fd, name);
      return typeof stat !== "number" && isWhiteout(stat);
    };
    const [others, removed] = [[], []] as [ByteName[], ByteName[]];
    for (const entry of entries) (isRemoved(entry) ? removed : others).push(entry.name);
    for (const name of [...removed.sort(), ...others.sort()])
      yield* this.#entry(fd, name, joinNames(path, name), below);
  }

  /**
   * A directory that is as it was and has nothing new is left out: the upper layer has it once something was made and removed in
   * it, such as a mount point.
   */
  *#directory(fd: number, stat: Stat, path: ByteName, below: Below | null): Generator<Uint8Array> {
    const header = () => this.#header(`${path}/` as ByteName, "directory", stat, fd, SELF);
    if (isOpaque(fd, this.namespace)) {
      yield header();
      yield this.#whiteout(joinNames(path, ".wh..wh..opq" as ByteName));
      yield* this.#content(fd, path, null);
      return;
    }
    const content = this.#content(fd, path, below);
    const first = content.next();
    if (first.done && below?.hasSame(fd, stat, path)) return;
    yield header();
    if (first.done) return;
    yield first.value;
    yield* content;
  }

  *#entry(directory: number, name: ByteName, path: ByteName, below: Below | null): Generator<Uint8Array> {
    const what = () => `read ${printable(path)}`;
    const stat = statAt(directory, name);
    if (typeof stat === "number") return void check(stat, what);
    if (isWhiteout(stat)) {
      yield this.#whiteout(
        joinNames(path.slice(0, Math.max(0, path.length - name.length - 1)) as ByteName, `.wh.${name}` as ByteName),
      );
      return;
    }
    if (name.startsWith(".wh."))
      throw new Error(`${printable(path)}: no layer can have a file whose name begins with .wh.`);
    if (isDirectory(stat)) {
      const fd = check(openAt(directory, name, O.RDONLY | O.DIRECTORY), what);
      try {
        yield* this.#directory(fd, stat, path, below);
      } finally {
        closeFd(fd);
      }
      return;
    }
    const type = typeOf(stat);
    if (type === null) {
      this.notices.add("device", () => `left out ${printable(path)}: a layer has no sockets`);
      return;
    }
    const first = stat.links > 1 ? this.#links.get(stat.ino) : undefined;
    if (first !== undefined) {
      yield this.#header(path, "hardLink", stat, directory, name, first);
      return;
    }
    if (stat.links > 1) this.#links.set(stat.ino, path);
    if (type !== "file") {
      const target = type === "symlink" ? readLinkAt(directory, name) : null;
      yield this.#header(path, type, stat, directory, name, target ?? undefined);
      return;
    }
    const fd = check(openAt(directory, name, O.RDONLY), what);
    try {
      yield this.#header(path, "file", stat, directory, name);
      yield* content(fd, stat.size, path);
    } finally {
      closeFd(fd);
    }
  }

  #whiteout(name: ByteName): Uint8Array {
    this.entries++;
    return headerOf({ ...NOTHING, name });
  }

  #header(name: ByteName, type: EntryType, stat: Stat, directory: number, base: ByteName, linkName = SELF): Uint8Array {
    this.entries++;
    const isDevice = type === "characterDevice" || type === "blockDevice";
    const { major, minor } = isDevice ? deviceParts(stat.rdev) : NOTHING;
    const xattrs = type === "hardLink" ? NOTHING.xattrs : keptXattrs(directory, base);
    const mtime = this.latest !== null && stat.mtime > this.latest ? this.latest : stat.mtime;
    const { uid, gid } = stat;
    const size = type === "file" ? stat.size : 0;
    return headerOf({ name, type, linkName, mode: stat.mode & 0o7777, uid, gid, size, mtime, major, minor, xattrs });
  }
}

const NOTHING: WrittenEntry = {
  name: SELF,
  type: "file",
  linkName: SELF,
  mode: 0,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0n,
  major: 0,
  minor: 0,
  xattrs: new Map(),
};

/** A file's content and padding; one that shrinks or grows meanwhile is no reason for an archive that cannot be read. */
function* content(fd: number, size: number, path: ByteName): Generator<Uint8Array> {
  for (let rest = size; rest > 0; ) {
    const memory = Buffer.allocUnsafe(Math.min(CHUNK, rest));
    const count = readSync(fd, memory, 0, memory.length, null);
    if (count === 0) throw new Error(`${printable(path)} became shorter while it was read`);
    rest -= count;
    yield memory.subarray(0, count);
  }
  const zeros = padding(size);
  if (zeros.length > 0) yield zeros;
}

/** @returns `null` for a socket */
function typeOf(stat: Stat): EntryType | null {
  if (isType(stat, "regular")) return "file";
  if (isType(stat, "symlink")) return "symlink";
  if (isType(stat, "characterDevice")) return "characterDevice";
  if (isType(stat, "blockDevice")) return "blockDevice";
  return isType(stat, "fifo") ? "fifo" : null;
}

/** @param device as makedev(3) composes it */
function deviceParts(device: number): { major: number; minor: number } {
  const value = BigInt(device);
  return {
    major: Number(((value >> 32n) & 0xfffff000n) | ((value >> 8n) & 0xfffn)),
    minor: Number(((value >> 12n) & 0xffffff00n) | (value & 0xffn)),
  };
}
