/** Reading from a repository: manifests and blobs. */
import { type Digest, digestOf, isDigest, splitDigest } from "../store/digest.ts";
import type { Descriptor } from "../store/documents.ts";
import { WrongContentError } from "../store/ingest.ts";
import { layerKind, MEDIA_TYPE } from "../store/media-types.ts";
import { LARGEST_DOCUMENT, parseRoot, type Root } from "../store/parse-documents.ts";
import { encodingOf, type RepositoryClient, wasEncoded } from "./client.ts";
import { ConnectionError, exchange, type HttpResponse } from "./http.ts";
import { follow } from "./redirect.ts";
import { printable, RegistryError } from "./registry-error.ts";
import { backOff, isPassing } from "./retry.ts";

const ACCEPT = [MEDIA_TYPE.index, MEDIA_TYPE.manifest, MEDIA_TYPE.dockerIndex, MEDIA_TYPE.dockerManifest].join(", ");

/** A manifest or index as it came. */
export interface FetchedRoot {
  root: Root;
  bytes: Uint8Array;
  descriptor: Pick<Descriptor, "mediaType" | "digest" | "size">;
}

/**
 * Fetches a manifest or an index.
 * @param at a tag, or a digest, which what comes has to have
 * @throws {WrongContentError} when the registry gives another document than it says or than was asked for
 */
export async function fetchRoot(
  client: RepositoryClient,
  at: string | Digest,
  promised?: Descriptor,
): Promise<FetchedRoot> {
  const what = `manifest ${at}`;
  const { bytes, headers } = await client.read(`manifests/${at}`, LARGEST_DOCUMENT, {
    what,
    headers: { accept: ACCEPT },
  });
  const name = `${client.repository.registry}/${client.repository.repository}: ${what}`;
  const claimed = headers["docker-content-digest"];
  const expected = isDigest(at) ? at : claimed !== undefined && isDigest(claimed) ? claimed : null;
  const digest = digestOf(bytes, expected === null ? "sha256" : splitDigest(expected).algorithm);
  if (expected !== null && digest !== expected) {
    throw new WrongContentError(
      `${name}: what was sent has another digest than ${isDigest(at) ? "was asked for" : "the registry says"}, ${digest}${isDigest(at) ? "" : ` instead of ${expected}`}`,
    );
  }
  if (promised !== undefined && promised.size !== bytes.byteLength) {
    throw new WrongContentError(`${name}: has ${bytes.byteLength} bytes, and the index says ${promised.size}`);
  }
  const root = parseRoot(bytes, promised?.mediaType ?? contentType(headers), name);
  return { root, bytes, descriptor: { mediaType: root.mediaType, digest, size: bytes.byteLength } };
}

/** Some send `text/plain`, `text/html` or nothing, which says nothing. */
function contentType(headers: HttpResponse["headers"]): string | undefined {
  return headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
}

/** Bytes that make a try one that was no failure: else a server could have us go on a byte at a time. */
const WORTHWHILE = 65_536;

/** What came is no part that was asked for. */
class WrongRangeError extends WrongContentError {}

/**
 * The bytes of a blob from an offset on. What breaks off goes on where it ended; a registry that knows no ranges is asked for the whole again.
 * @throws {WrongContentError} when the registry sends something else than was asked for
 */
export async function* fetchBlob(
  client: RepositoryClient,
  descriptor: Descriptor,
  offset: number,
): AsyncGenerator<Uint8Array> {
  const { size } = descriptor;
  let at = offset;
  let hasRanges = true;
  for (let failures = 0; at < size; ) {
    const before = at;
    const from = hasRanges ? at : 0;
    try {
      const response = await openBlob(client, descriptor, from);
      try {
        for await (const chunk of pieces(response, descriptor, from, at)) {
          at += chunk.byteLength;
          yield chunk;
        }
      } finally {
        response.discard();
      }
      if (at < size) throw endedEarly(response, descriptor, at);
    } catch (error) {
      if (from > 0 && refusesRanges(error)) {
        hasRanges = false;
        continue;
      }
      failures = at - before >= WORTHWHILE ? 1 : failures + 1;
      if (!isPassing(error) || failures > client.patience.retries) throw error;
      await backOff(client.patience, failures, error);
    }
  }
}

/** Whether the whole may be given where a part was not. */
function refusesRanges(error: unknown): boolean {
  if (error instanceof RegistryError) return error.status !== 404 && !isPassing(error);
  return error instanceof WrongRangeError;
}

function endedEarly(response: HttpResponse, { digest, size }: Descriptor, at: number): Error {
  const encoding = encodingOf(response);
  if (encoding !== null) return new WrongContentError(`${response.url.host}: ${digest}: ${wasEncoded(encoding)}`);
  return new ConnectionError(response.url, `${digest} ended after ${at} of ${size} bytes`);
}

/** @throws without trying again: that is for who knows what has come */
async function openBlob(client: RepositoryClient, descriptor: Descriptor, from: number): Promise<HttpResponse> {
  const { digest, urls, mediaType } = descriptor;
  const headers: Record<string, string> = { accept: "*/*", "accept-encoding": "identity" };
  if (from > 0) headers["range"] = `bytes=${from}-`;
  try {
    const what = `blob ${digest}`;
    return await client.request("GET", `blobs/${digest}`, { headers, accept: [200, 206], what, retry: false });
  } catch (error) {
    // Only what may not be distributed is fetched from elsewhere.
    if (!(error instanceof RegistryError) || layerKind(mediaType)?.foreign !== true) throw error;
    const response = await openElsewhere(urls ?? [], headers, client.patience.stall);
    if (response === null) throw error;
    return response;
  }
}

/** How many places of a foreign layer are tried: a manifest may name thousands. */
const MOST_PLACES = 16;

/** The first of several places that gives something. Nobody there is shown credentials. */
async function openElsewhere(
  urls: readonly string[],
  headers: Record<string, string>,
  patience: number,
): Promise<HttpResponse | null> {
  const places = urls.filter((text) => URL.canParse(text) && /^https?:/.test(text));
  for (const text of places.slice(0, MOST_PLACES)) {
    try {
      const ask = (url: URL) => exchange({ method: "GET", url, headers, tls: { verify: true }, patience });
      const response = await follow(new URL(text), ask, { isSecure: text.startsWith("https:"), what: "a layer" });
      if (response.status === 200 || response.status === 206) return response;
      response.discard();
    } catch (error) {
      // Another may be nearer.
      if (!(error instanceof ConnectionError) && !(error instanceof RegistryError)) throw error;
    }
  }
  return null;
}

/** @param from what was asked for begins there @param at what is wanted begins there */
async function* pieces(
  response: HttpResponse,
  { digest, size }: Descriptor,
  from: number,
  at: number,
): AsyncGenerator<Uint8Array> {
  const { host } = response.url;
  const first = response.status === 206 ? from : 0;
  if (response.status === 206) {
    const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(response.headers["content-range"] ?? "");
    if (range === null || Number(range[1]) !== from || (range[3] !== "*" && Number(range[3]) !== size)) {
      throw new WrongRangeError(
        `${host}: ${digest}: asked for the bytes from ${from} on of ${size}, and got "${printable(response.headers["content-range"] ?? "no Content-Range")}"`,
      );
    }
  }
  const length = response.headers["content-length"];
  if (length !== undefined && Number(length) !== size - first) {
    const encoding = encodingOf(response);
    throw new WrongContentError(
      `${host}: ${digest}: ${encoding === null ? `the registry has ${length} bytes, and ${size - first} were announced` : wasEncoded(encoding)}`,
    );
  }
  // A registry that knows no ranges begins at the beginning.
  let skip = at - first;
  for await (const chunk of response.body) {
    const rest = chunk.subarray(Math.min(skip, chunk.byteLength));
    skip -= chunk.byteLength - rest.byteLength;
    if (rest.byteLength > 0) yield rest;
  }
}
