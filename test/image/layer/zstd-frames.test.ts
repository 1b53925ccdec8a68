import { zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { decompressed } from "../../../src/image/archive/decompress.ts";
import { ZstdFrames } from "../../../src/image/layer/zstd-frames.ts";

const RANDOM = Buffer.from(Array.from({ length: 400_000 }, (_, index) => (index * 2654435761) >>> 13));
const SKIPPABLE = Buffer.from("532a4d180500000068656c6c6f", "hex");
const EMPTY = Buffer.from("502a4d1800000000", "hex");

const streams: [string, Buffer][] = [
  ["small", zstdCompressSync(Buffer.from("hello"))],
  ["nothing", zstdCompressSync(Buffer.alloc(0))],
  ["many blocks", zstdCompressSync(RANDOM)],
  ["a run of one byte", zstdCompressSync(Buffer.alloc(3_000_000, "a"))],
  ["two frames", Buffer.concat([zstdCompressSync(RANDOM), zstdCompressSync(Buffer.from("x"))])],
  ["frames to be skipped", Buffer.concat([SKIPPABLE, zstdCompressSync(RANDOM), EMPTY, SKIPPABLE])],
];

function follow(bytes: Uint8Array, step: number): void {
  const frames = new ZstdFrames();
  for (let at = 0; at < bytes.byteLength; at += step) frames.write(bytes.subarray(at, at + step));
  frames.end();
}

describe.each(streams)("%s", (_, bytes) => {
  test.each([1, 7, 65_536, 1e9])("is whole, in pieces of %i", (step) => {
    follow(bytes, step);
  });

  test("is not, without its last byte or with one more", () => {
    expect(() => follow(bytes.subarray(0, -1), 1000)).toThrow("ends within a frame");
    expect(() => follow(Buffer.concat([bytes, Buffer.from("x")]), 1000)).toThrow("ends within a frame");
    expect(() => follow(Buffer.concat([bytes, Buffer.from("trailing")]), 1000)).toThrow("is none");
  });
});

test.each([
  ["cut off", zstdCompressSync(RANDOM).subarray(0, -20_000), "cannot be decompressed: it ends within a frame of zstd"],
  [
    "followed by something else",
    Buffer.concat([zstdCompressSync(RANDOM), RANDOM]),
    "cannot be decompressed: what follows a frame of zstd is none",
  ],
])("an archive that is %s cannot be decompressed", async (_, bytes, message) => {
  async function* source(): AsyncGenerator<Uint8Array> {
    yield bytes;
  }
  const read = async () => {
    for await (const chunk of await decompressed(source(), { bytes: 1e9, ratio: 1e6 }, "x"))
      expect(chunk).toBeDefined();
  };
  await expect(read()).rejects.toThrow(message);
});
