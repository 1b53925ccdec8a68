/** `image import`: a plain root filesystem becomes an image. */
import { spawn } from "node:child_process";
import { pipeline, Readable } from "node:stream";
import { constants, createGzip } from "node:zlib";
import { closeFd, ENTRY_TYPE, listDirectory, openAt } from "../../sys/at.ts";
import { type ByteName, joinNames, printable } from "../../sys/byte-name.ts";
import { check } from "../../sys/error.ts";
import { O, open } from "../../sys/fd.ts";
import { basename } from "../../sys/path-names.ts";
import { type ArchiveLimits, decompressed } from "../archive/decompress.ts";
import { findInput } from "../archive/input.ts";
import { DEFAULT_LIMITS } from "../layer/limits.ts";
import { BLOCK, hasChecksum, isZero } from "../layer/tar-fields.ts";
import type { Reporter } from "../progress/reporter.ts";
import { parseName } from "../reference/reference.ts";
import { type Digest, Digester } from "../store/digest.ts";
import type { ImageConfig, Manifest, Platform } from "../store/documents.ts";
import { putImage } from "../store/images.ts";
import { ingestNew } from "../store/ingest.ts";
import { Lease } from "../store/lease.ts";
import { MEDIA_TYPE } from "../store/media-types.ts";
import { hostPlatform } from "../store/platform.ts";
import { putDocument } from "../store/put-document.ts";
import type { Store } from "../store/store.ts";
import { configOf } from "./config-change.ts";

export interface ImportOptions {
  name?: string;
  /** Instructions of a Dockerfile that change the configuration. */
  changes: readonly string[];
  message?: string;
  platform?: Platform;
  limits?: ArchiveLimits;
}

/**
 * Imports a tar archive or a directory as an image of one layer.
 * @param path `-` for stdin
 */
export async function importImage(
  store: Store,
  path: string,
  options: ImportOptions,
  reporter: Reporter,
): Promise<{ digest: Digest }> {
  const name = options.name === undefined ? null : parseName(options.name);
  const config = configOf(options.changes);
  using lease = await Lease.take(store);
  const task = reporter.task(basename(path === "-" ? "stdin" : path), null);
  const digester = new Digester();
  const plain = await openTar(path, options.limits ?? DEFAULT_LIMITS);
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of plain) {
      digester.update(chunk);
      task.update(digester.size);
      yield chunk;
    }
  }
  const gzip = createGzip({ level: constants.Z_BEST_SPEED + 2 });
  pipeline(Readable.from(hashed()), gzip, () => {});
  const layer = await ingestNew(lease, gzip as AsyncIterable<Uint8Array>);
  task.done();
  const created = new Date().toISOString();
  const imageConfig: ImageConfig = {
    created,
    ...(options.platform ?? hostPlatform()),
    config,
    rootfs: { type: "layers", diff_ids: [digester.digest()] },
    history: [{ created, created_by: `tsrunc image import ${basename(path)}`, comment: options.message ?? "" }],
  };
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: await putDocument(lease, MEDIA_TYPE.config, imageConfig),
    layers: [{ mediaType: MEDIA_TYPE.layerGzip, ...layer }],
  };
  const descriptor = await putDocument(lease, MEDIA_TYPE.manifest, manifest);
  await putImage(store, name, descriptor);
  return { digest: descriptor.digest };
}

/** A plain tar archive of what is at the path. */
async function openTar(path: string, limits: ArchiveLimits): Promise<AsyncIterable<Uint8Array>> {
  const input = findInput(path);
  if (input.kind === "directory") return tarOf(input.path);
  const { label } = input;
  const named = (error: unknown) => new Error(`${label}: ${(error as Error).message}`, { cause: error });
  const plain = await decompressed(input.open(), limits, "tsrunc image import -").catch((error) => {
    throw named(error);
  });
  async function* checked(): AsyncGenerator<Uint8Array> {
    try {
      yield* withHeader(plain);
    } catch (error) {
      throw named(error);
    }
  }
  return checked();
}

/** What is no tar archive is told before it becomes a layer: by the checksum of its first header, or the zeros of an empty archive. */
async function* withHeader(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Uint8Array | null = new Uint8Array(0);
  for await (const chunk of content) {
    if (head !== null) {
      head = Buffer.concat([head, chunk]);
      if (head.byteLength < BLOCK) continue;
      if (!isZero(head) && !hasChecksum(head)) throw new Error("is no tar archive");
      yield head;
      head = null;
    } else yield chunk;
  }
  if (head !== null) throw new Error(`is no tar archive: it has ${head.byteLength} bytes`);
}

/** What a layer takes for a whiteout would be gone in the image. @throws {Error} @see image-spec, layer.md, "Whiteouts" */
function refuseWhiteouts(path: string): void {
  using root = open(path, O.RDONLY | O.DIRECTORY);
  refuseWhiteoutsBelow(root.number, "" as ByteName, path);
}

function refuseWhiteoutsBelow(directory: number, path: ByteName, label: string): void {
  const what = (name: ByteName) => `${label}/${printable(joinNames(path, name))}`;
  const entries = listDirectory(directory);
  if (typeof entries === "number") return void check(entries, () => `read ${what("" as ByteName)}`);
  for (const { name, type } of entries) {
    if (name.startsWith(".wh.")) throw new Error(`${what(name)}: no layer can have a file whose name begins with .wh.`);
    if (type !== ENTRY_TYPE.directory && type !== ENTRY_TYPE.unknown) continue;
    const fd = openAt(directory, name, O.RDONLY | O.DIRECTORY);
    // What is no directory, or gone, or not to be read, tar tells of.
    if (fd < 0) continue;
    try {
      refuseWhiteoutsBelow(fd, joinNames(path, name), label);
    } finally {
      closeFd(fd);
    }
  }
}

/** A directory as an archive, by tar(1), which keeps all that there is to keep. */
async function* tarOf(path: string): AsyncGenerator<Uint8Array> {
  refuseWhiteouts(path);
  const args = [
    "--create",
    "--format=posix",
    "--numeric-owner",
    "--xattrs",
    "--xattrs-include=*",
    "--sort=name",
    "--sparse-version=1.0",
    "--directory",
    path,
    ".",
  ];
  const child = spawn("tar", args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, LC_ALL: "C" } });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString("utf8");
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", (error) =>
      reject(new Error(`tar, which reads directories, cannot be started: ${error.message}`)),
    );
    child.on("close", resolve);
  });
  yield* child.stdout as AsyncIterable<Uint8Array>;
  const code = await ended;
  if (code !== 0) throw new Error(`${path}: ${said.split("\n")[0] ?? `tar ended with ${code}`}`);
}
