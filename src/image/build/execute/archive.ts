/** Archives that are unpacked: those of ADD, and contexts on stdin. Plain, or compressed by gzip, bzip2, xz or zstd. */
import { spawn } from "node:child_process";
import { createReadStream, createWriteStream, mkdirSync, readSync } from "node:fs";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { type Fd, O, open } from "../../../sys/fd.ts";
import { unlink } from "../../../sys/file.ts";
import { join } from "../../../sys/path-names.ts";
import { formatOf } from "../../layer/compression.ts";
import { extractLayer } from "../../layer/extract.ts";
import { DEFAULT_LIMITS } from "../../layer/limits.ts";
import { BLOCK, hasChecksum, isZero } from "../../layer/tar-fields.ts";
import { overlayNamespace } from "../../snapshot/directories.ts";

type Compression = ReturnType<typeof formatOf>;

const HEAD = 512;

/**
 * Unpacks a file, if it is an archive.
 * @param file  at offset 0
 * @param directory for the unpacked tree and what is needed on the way; it must be there, and be the caller's alone
 * @returns the tree's path; `null` for what is no archive
 * @throws {Error}
 */
export async function unpackFile(file: Fd, directory: string, owners: "archive" | "own"): Promise<string | null> {
  const head = Buffer.alloc(HEAD);
  const length = readSync(file.number, head, 0, HEAD, 0);
  const compression = formatOf(head.subarray(0, length));
  if (compression === "none") {
    if (!isTar(head.subarray(0, length))) return null;
    return unpackTar(createReadStream("", { fd: file.number, autoClose: false, start: 0 }), directory, owners);
  }
  const input = createReadStream("", { fd: file.number, autoClose: false, start: 0 });
  const plain = join(directory, "plain.tar");
  await decompress(input, compression, plain);
  using decompressed = open(plain, O.RDONLY);
  const start = Buffer.alloc(HEAD);
  const isArchive = isTar(start.subarray(0, readSync(decompressed.number, start, 0, HEAD, 0)));
  try {
    return isArchive ? extractTo(decompressed, directory, owners) : null;
  } finally {
    unlink(plain);
  }
}

/** Unpacks a stream that has to be an archive. @throws {Error} */
export async function unpackStream(input: Readable, directory: string, owners: "archive" | "own"): Promise<string> {
  const spooled = join(directory, "spooled");
  await pipeline(input, createWriteStream(spooled, { mode: 0o600 }));
  try {
    using file = open(spooled, O.RDONLY);
    const path = await unpackFile(file, directory, owners);
    if (path === null) throw new Error("stdin: is no tar archive, plain or compressed by gzip, bzip2, xz or zstd");
    return path;
  } finally {
    unlink(spooled);
  }
}

async function unpackTar(input: Readable, directory: string, owners: "archive" | "own"): Promise<string> {
  const plain = join(directory, "plain.tar");
  await pipeline(input, createWriteStream(plain, { mode: 0o600 }));
  using file = open(plain, O.RDONLY);
  try {
    return extractTo(file, directory, owners);
  } finally {
    unlink(plain);
  }
}

function extractTo(file: Fd, directory: string, owners: "archive" | "own"): string {
  const path = join(directory, "tree");
  mkdirSync(path, { mode: 0o755 });
  using root = open(path, O.RDONLY | O.DIRECTORY);
  const memory = Buffer.allocUnsafeSlow(1 << 20);
  const source = {
    next() {
      const count = readSync(file.number, memory, 0, memory.length, null);
      return count === 0 ? null : memory.subarray(0, count);
    },
  };
  const options = { limits: DEFAULT_LIMITS, owners, overlay: overlayNamespace(), isForeign: true };
  extractLayer(source, { kind: "whole", root, isEmpty: true }, options);
  return path;
}

function isTar(head: Uint8Array): boolean {
  if (head.length < BLOCK) return false;
  return !isZero(head.subarray(0, BLOCK)) && hasChecksum(head.subarray(0, BLOCK));
}

async function decompress(input: Readable, compression: Exclude<Compression, "none">, to: string): Promise<void> {
  const limit = limited(DEFAULT_LIMITS.bytes);
  const output = createWriteStream(to, { mode: 0o600 });
  if (compression === "gzip") return pipeline(input, createGunzip(), limit, output);
  if (compression === "zstd") return pipeline(input, createZstdDecompress(), limit, output);
  // What Node does not have are Debian's own programs.
  const child = spawn(compression, ["-dc"], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = new Promise<void>((settle, reject) => {
    child.on("error", () =>
      reject(new Error(`archives of ${compression} need the program ${compression}, which is not there`)),
    );
    child.on("close", (code) =>
      code === 0 ? settle() : reject(new Error(said.split("\n")[0] || `${compression} ended with ${code}`)),
    );
  });
  const feed = pipeline(input, child.stdin).catch(() => {});
  await Promise.all([ended, pipeline(child.stdout, limit, output), feed]);
}

function limited(bytes: number): Transform {
  let count = 0;
  return new Transform({
    transform(chunk: Uint8Array, _, done) {
      count += chunk.length;
      done(count > bytes ? new Error(`it unpacks to more than ${bytes} bytes`) : null, chunk);
    },
  });
}
