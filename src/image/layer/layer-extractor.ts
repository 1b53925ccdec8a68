/**
 * Extracts layers from their blobs: this thread reads and hashes, the engine's pool decompresses, a thread of its own parses and writes,
 * all at the same time.
 *
 * What is extracted may be hostile, or not what its digests say, until {@link LayerExtractor.extract} has returned: extract to a directory
 * that nobody else sees, and remove it when that fails.
 *
 * @example
 *   await using extractor = new LayerExtractor();
 *   await extractor.extract(blob, { kind: "whole", root, isEmpty: true }, options);
 */
import { createReadStream } from "node:fs";
import type { Transform } from "node:stream";
import { Worker } from "node:worker_threads";
import { isCompiled } from "../../sys/executable.ts";
import { createHash } from "../../sys/hash.ts";
import { compressionOf, decompressor, requireLayerType } from "./compression.ts";
import type { Extracted, ExtractOptions, ExtractTarget } from "./extract.ts";
import type { ExtractReply, ExtractRequest } from "./extract-worker.ts";
import { LayerError } from "./layer-error.ts";
import { checkSizes } from "./limits.ts";
import { RingWriter, ringMemory } from "./ring.ts";

/** A layer as it is stored. */
export interface LayerBlob {
  /** Where its bytes are. */
  path: string;
  mediaType: string;
  /** Of the bytes: `sha256:…` or `sha512:…`. */
  digest: string;
  /** Of what they decompress to. */
  diffId: string;
}

/** Told of each piece that was read: bytes of the blob. */
export type OnRead = (bytes: number) => void;

/** Bytes read at a time. */
const READ_BYTES = 1 << 18;

export class LayerExtractor implements AsyncDisposable {
  #worker: Worker | undefined;
  #last = 0;
  readonly #waiting = new Map<number, (reply: ExtractReply | Error) => void>();
  /** What is at work, or waits for its turn, with the thread's answer to it. */
  readonly #atWork = new Map<RingWriter, Promise<ExtractReply>>();

  /**
   * Extracts a layer. Of several calls at a time, the later layers are decompressed ahead.
   * @throws {LayerError} for what is wrong with the layer, naming it by its digest
   */
  async extract(
    blob: LayerBlob,
    target: ExtractTarget,
    options: ExtractOptions,
    onRead: OnRead = () => {},
  ): Promise<Extracted> {
    const name = `layer ${blob.digest}`;
    const ring = ringMemory();
    const writer = new RingWriter(ring);
    try {
      requireLayerType(blob.mediaType);
      const reply = this.#request({ ring, target: withNumbers(target), options });
      this.#atWork.set(writer, reply);
      const read = this.#feed(blob, writer, options, onRead).catch((error: unknown) => {
        writer.abort();
        return error as Error;
      });
      const [result, failure] = [await reply, await read];
      if (result.kind === "failed") throw result.isSystem ? new Error(result.error) : new LayerError(result.error);
      if (failure !== undefined) throw failure;
      if (result.kind === "aborted") throw new LayerError("it could not be read");
      return result.extracted;
    } catch (error) {
      if (error instanceof LayerError) throw new LayerError(`${name}: ${error.message}`);
      throw error instanceof Error ? new Error(`${name}: ${error.message}`, { cause: error }) : error;
    } finally {
      this.#atWork.delete(writer);
    }
  }

  /** Nothing is written to any target afterwards. */
  async [Symbol.asyncDispose](): Promise<void> {
    // A thread that is ended in the middle of a system call takes the process with it.
    for (const writer of this.#atWork.keys()) writer.abort();
    await Promise.allSettled(this.#atWork.values());
    await this.#worker?.terminate();
  }

  #request(request: Omit<ExtractRequest, "id">): Promise<ExtractReply> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, (reply) => (reply instanceof Error ? reject(reply) : resolve(reply)));
      this.#started().postMessage({ ...request, id } satisfies ExtractRequest);
    });
  }

  #started(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(workerUrl());
    worker.on("message", (reply: ExtractReply) => {
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    });
    worker.on("error", (error) => {
      for (const settle of this.#waiting.values()) settle(error);
      this.#waiting.clear();
    });
    this.#worker = worker;
    return worker;
  }

  /** Reads a blob to its end, hands over what it decompresses to, and checks both digests. */
  async #feed(blob: LayerBlob, writer: RingWriter, options: ExtractOptions, onRead: OnRead): Promise<undefined> {
    const compressed = createHash(algorithmOf(blob.digest));
    const plain = createHash(algorithmOf(blob.diffId));
    const counts = { compressed: 0, plain: 0 };
    const take = async (chunk: Uint8Array) => {
      counts.plain += chunk.length;
      checkSizes(counts, options.limits);
      plain.update(chunk);
      return writer.write(chunk);
    };
    let decoder: Transform | null | undefined;
    let decoded: Promise<unknown> = Promise.resolve();
    for await (const chunk of createReadStream(blob.path, { highWaterMark: READ_BYTES }) as AsyncIterable<Uint8Array>) {
      compressed.update(chunk);
      counts.compressed += chunk.length;
      onRead(chunk.length);
      if (decoder === undefined) {
        decoder = decompressor(compressionOf(chunk));
        if (decoder !== null) decoded = takeAll(decoder, take);
        // It is waited for in the end.
        decoded.catch(() => {});
      }
      if (decoder === null) {
        if (!(await take(chunk))) return undefined;
      } else if (decoder.writable && !decoder.write(chunk)) await drained(decoder);
      if (decoder?.destroyed) break;
    }
    decoder?.end();
    const isWanted = await decoded;
    if (isWanted === false) return undefined;
    verify(blob.digest, compressed.digest("hex"), "its bytes have the digest");
    verify(blob.diffId, plain.digest("hex"), "it unpacks to an archive with the digest");
    writer.end();
    return undefined;
  }
}

/** Where the thread's code is: in the executable at its place below `src/`, since this code may be in a chunk anywhere. */
function workerUrl(): URL {
  return isCompiled
    ? new URL("file:///$bunfs/root/image/layer/extract-worker.js")
    : new URL("./extract-worker.ts", import.meta.url);
}

/** Takes all that a decoder makes. @returns `false` when the other side wants no more */
async function takeAll(decoder: Transform, take: (chunk: Uint8Array) => Promise<boolean>): Promise<boolean> {
  try {
    for await (const chunk of decoder as AsyncIterable<Uint8Array>) {
      if (!(await take(chunk))) return false;
    }
    return true;
  } catch (error) {
    if (error instanceof LayerError) throw error;
    throw new LayerError(`it cannot be decompressed: ${(error as Error).message}`);
  }
}

/** Waits until a decoder takes more, or will never again. */
function drained(decoder: Transform): Promise<void> {
  const events = ["drain", "end", "close", "error"];
  return new Promise((resolve) => {
    const settle = () => {
      for (const event of events) decoder.off(event, settle);
      resolve();
    };
    for (const event of events) decoder.on(event, settle);
    if (decoder.destroyed || !decoder.writableNeedDrain) settle();
  });
}

/** @throws {LayerError} for one that cannot be checked */
function algorithmOf(digest: string): "sha256" | "sha384" | "sha512" {
  const [algorithm] = digest.split(":");
  if (algorithm === "sha256" || algorithm === "sha384" || algorithm === "sha512") return algorithm;
  throw new LayerError(`the digest ${JSON.stringify(digest)} is of an unknown kind: sha256 or sha512 it must be`);
}

function verify(digest: string, found: string, what: string): void {
  const [algorithm, hex] = digest.split(":");
  if (hex !== found) throw new LayerError(`${what} ${algorithm}:${found} instead of ${digest}`);
}

function withNumbers(target: ExtractTarget): ExtractRequest["target"] {
  if (target.kind === "whole") return { kind: "whole", root: target.root.number, isEmpty: target.isEmpty };
  return { kind: "own", root: target.root.number, lower: target.lower.map(({ number }) => number) };
}
