/** Archives on their way in: decompressed, whatever they were compressed by, and cut off where they are bombs. */
import { pipeline, Readable } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { formatOf } from "../layer/compression.ts";
import { checkSizes, type LayerLimits } from "../layer/limits.ts";
import { ZstdFrames } from "../layer/zstd-frames.ts";
import { HEAD } from "./members.ts";

/** What an archive may unpack to. */
export type ArchiveLimits = Pick<LayerLimits, "bytes" | "ratio">;

/**
 * The plain bytes of an archive.
 * @param hint how to decompress by hand what is not read, `FILE` in it being the file: `tsrunc image load`
 * @throws {Error} also while it is read: for one that is empty, of a compression that is not read, damaged, or larger than the limits say
 */
export async function decompressed(
  source: AsyncIterable<Uint8Array>,
  limits: ArchiveLimits,
  hint: string,
): Promise<AsyncIterable<Uint8Array>> {
  const counts = { compressed: 0, plain: 0 };
  const iterator = source[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array(0);
  while (head.byteLength < HEAD) {
    const { value, done } = await iterator.next();
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  if (head.byteLength === 0) throw new Error("is empty");
  const format = formatOf(head);
  if (format === "xz" || format === "bzip2")
    throw new Error(
      `is compressed by ${format}, which is not read: decompress it first (${format} -dc FILE | ${hint})`,
    );
  async function* whole(): AsyncGenerator<Uint8Array> {
    counts.compressed += head.byteLength;
    yield head;
    for await (const chunk of { [Symbol.asyncIterator]: () => iterator }) {
      counts.compressed += chunk.byteLength;
      yield chunk;
    }
  }
  return limited(format === "none" ? whole() : inflated(whole(), format), counts, limits);
}

/** Decompresses. @throws {Error} what the source throws, or that it cannot be decompressed */
export async function* inflated(
  source: AsyncIterable<Uint8Array>,
  format: "gzip" | "zstd",
): AsyncGenerator<Uint8Array> {
  const decoder = format === "gzip" ? createGunzip() : createZstdDecompress();
  pipeline(Readable.from(format === "zstd" ? inFrames(source) : source), decoder, () => {});
  try {
    yield* decoder as AsyncIterable<Uint8Array>;
  } catch (error) {
    const isDecoders = /^(Z_|ZSTD_)/.test((error as NodeJS.ErrnoException).code ?? "");
    throw isDecoders ? new Error(`cannot be decompressed: ${(error as Error).message}`) : error;
  }
}

/** What is no frame of zstd is an error, as it is for gzip. */
async function* inFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const frames = new ZstdFrames();
  const follow = (act: () => void) => {
    try {
      act();
    } catch (error) {
      throw new Error(`cannot be decompressed: ${(error as Error).message}`);
    }
  };
  for await (const chunk of source) {
    follow(() => frames.write(chunk));
    yield chunk;
  }
  follow(() => frames.end());
}

async function* limited(
  plain: AsyncIterable<Uint8Array>,
  counts: { compressed: number; plain: number },
  limits: ArchiveLimits,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of plain) {
    counts.plain += chunk.byteLength;
    checkSizes(counts, limits);
    yield chunk;
  }
}
