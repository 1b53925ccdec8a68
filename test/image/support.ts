/** Stores and small images for tests. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Algorithm, type Digest, digestOf } from "../../src/image/store/digest.ts";
import type { Descriptor, ImageConfig, Manifest } from "../../src/image/store/documents.ts";
import { putImage } from "../../src/image/store/images.ts";
import { ingest } from "../../src/image/store/ingest.ts";
import { Lease } from "../../src/image/store/lease.ts";
import { MEDIA_TYPE } from "../../src/image/store/media-types.ts";
import { openStore, type Store } from "../../src/image/store/store.ts";

/** A directory that is removed at the end of its block. */
export class Scratch implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "tsrunc-image-"));

  at(name: string): string {
    return join(this.path, name);
  }

  store(name = "store"): Store {
    return openStore(this.at(name));
  }

  /** A file of credentials with none in it, so that those of who runs the tests are not used. */
  authFile(): string {
    const path = this.at("auth.json");
    writeFileSync(path, "{}");
    return path;
  }

  /** What a failed test has left mounted goes first: removing must not reach through it. */
  [Symbol.dispose](): void {
    unmountBelow(this.path);
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Unmounts all that is mounted on a directory and below it, the latest first. */
export function unmountBelow(directory: string): void {
  const points = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) =>
      (line.split(" ")[4] ?? "").replace(/\\(\d{3})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 8))),
    )
    .filter((point) => point === directory || point.startsWith(`${directory}/`));
  for (const point of points.reverse()) spawnSync("umount", ["--lazy", point]);
}

/** An image in memory. */
export interface SampleImage {
  manifest: Manifest;
  descriptor: Descriptor;
  config: ImageConfig;
  blobs: Map<Digest, Uint8Array>;
}

/**
 * Makes an image of layers that are no archives: who reads no layers does not see the difference.
 * @param contents one a layer
 * @param algorithm of all that it is named by
 */
export function sampleImage(
  contents: readonly string[],
  change: Partial<ImageConfig> = {},
  algorithm: Algorithm = "sha256",
): SampleImage {
  const blobs = new Map<Digest, Uint8Array>();
  const put = (mediaType: string, bytes: Uint8Array): Descriptor => {
    const digest = digestOf(bytes, algorithm);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.byteLength };
  };
  const layers = contents.map((content) => put(MEDIA_TYPE.layerGzip, gzipSync(content)));
  const config: ImageConfig = {
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config: { Cmd: ["/bin/sh"] },
    rootfs: {
      type: "layers",
      diff_ids: contents.map((content) => digestOf(content, algorithm)),
    },
    ...change,
  };
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: put(MEDIA_TYPE.config, encode(config)),
    layers,
  };
  return { manifest, config, blobs, descriptor: put(MEDIA_TYPE.manifest, encode(manifest)) };
}

export function encode(document: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(document));
}

/** Puts an image into a store. */
export async function storeImage(store: Store, name: string | null, image: SampleImage): Promise<void> {
  using lease = await Lease.take(store);
  for (const [digest, bytes] of image.blobs) {
    await ingest(lease, { digest, size: bytes.byteLength }, async function* (offset) {
      yield bytes.subarray(offset);
    });
  }
  await putImage(store, name, image.descriptor);
}
