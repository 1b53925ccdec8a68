/** Writing to a repository: blobs, then manifests. @see distribution-spec, "Push" */
import { type Digest, digestOf, isDigest, splitDigest } from "../store/digest.ts";
import type { Descriptor } from "../store/documents.ts";
import type { RepositoryClient } from "./client.ts";
import { ConnectionError, type HttpResponse } from "./http.ts";
import { locationFrom, withParameter } from "./redirect.ts";
import { RegistryError } from "./registry-error.ts";
import { backOff, isPassing } from "./retry.ts";
import type { Body } from "./send.ts";

/** How a blob got there. */
export type Pushed = "held" | "mounted" | "uploaded";

export interface PushBlobOptions {
  /** Repositories of the same registry that have it. */
  sources: readonly string[];
  /** Bytes sent at a time; `null`: all at once. */
  chunk: number | null;
  /** The content, from an offset on. */
  read(offset: number, length: number): AsyncIterable<Uint8Array>;
  progress(bytes: number): void;
}

/** Sees to it that a repository has a blob. */
export async function pushBlob(
  client: RepositoryClient,
  descriptor: Descriptor,
  options: PushBlobOptions,
): Promise<Pushed> {
  const what = `blob ${descriptor.digest}`;
  if (await hasRemote(client, descriptor.digest, what)) return "held";
  let { chunk } = options;
  for (let failures = 1; ; failures++) {
    try {
      const session = await begin(client, descriptor.digest, options.sources, what);
      if (session === "mounted") return "mounted";
      const own = chunk === null ? null : Math.max(chunk, session.smallest);
      await upload(client, session, descriptor, { ...options, chunk: own }, what);
      return "uploaded";
    } catch (error) {
      // Whether a part was lost or the registry counts in its own way (some name the end, some nothing that fits): a whole blob needs no counting.
      if (error instanceof LostSessionError || isLost(error)) chunk = null;
      const passing = isPassing(error) || isLost(error) || error instanceof LostSessionError;
      if (!passing || failures > client.patience.retries) throw error;
      await backOff(client.patience, failures, error as Error);
    }
  }
}

/** Whether a session is gone, or a piece does not follow what it has. */
function isLost(error: unknown): boolean {
  return error instanceof RegistryError && [404, 416].includes(error.status);
}

/** A registry that redirects, or signs what it redirects to for GET alone, is told to take the blob again: it does no harm. */
async function hasRemote(client: RepositoryClient, digest: Digest, what: string): Promise<boolean> {
  try {
    const response = await client.request("HEAD", `blobs/${digest}`, { accept: [200, 404, 403, 405], what });
    response.discard();
    return response.status === 200;
  } catch (error) {
    if (error instanceof RegistryError) return false;
    throw error;
  }
}

/** An upload that has begun. */
interface Session {
  url: URL;
  /** Bytes that a piece has to have at least, but for the last. */
  smallest: number;
}

/** What registries answer that have begun something, or gone on with it; the spec's own is 202. */
const GOES_ON = [202, 200, 201, 204];

async function begin(
  client: RepositoryClient,
  digest: Digest,
  sources: readonly string[],
  what: string,
): Promise<Session | "mounted"> {
  for (const from of sources.slice(0, 1)) {
    try {
      const query = new URLSearchParams({ mount: digest, from });
      const response = await client.request("POST", `blobs/uploads/?${query}`, {
        accept: GOES_ON,
        what,
        retry: false,
      });
      response.discard();
      if (response.status === 201) return "mounted";
      // No such blob there: the session that has begun is the one to go on with.
      return sessionOf(client, response, what);
    } catch (error) {
      if (error instanceof ConnectionError) throw error;
    }
  }
  // The session counts by sha256, unless it is told.
  const { algorithm } = splitDigest(digest);
  const path = `blobs/uploads/${algorithm === "sha256" ? "" : `?digest-algorithm=${algorithm}`}`;
  const response = await client.request("POST", path, { accept: GOES_ON, what, retry: false });
  response.discard();
  return sessionOf(client, response, what);
}

function sessionOf(client: RepositoryClient, response: HttpResponse, what: string): Session {
  const smallest = Number(response.headers["oci-chunk-min-length"] ?? 0);
  return { url: nextOf(client, response, what), smallest: Number.isSafeInteger(smallest) ? smallest : 0 };
}

/** Where to go on: relative or not, with a query of its own perhaps. */
function nextOf(client: RepositoryClient, response: HttpResponse, what: string, before?: URL): URL {
  const { location = "" } = response.headers;
  if (location === "" && before !== undefined) return before;
  if (location !== "") return locationFrom(response.url, location, client.isSecure, `${what}: is to be uploaded`);
  throw new RegistryError(
    `${response.url.host}: ${what}: the registry does not say where to upload to`,
    response.status,
  );
}

/** The registry has another part of a blob than it was sent. */
class LostSessionError extends Error {}

async function upload(
  client: RepositoryClient,
  session: Session,
  descriptor: Descriptor,
  options: PushBlobOptions,
  what: string,
): Promise<void> {
  try {
    await send(client, session, descriptor, options, what);
  } catch (error) {
    await cancel(client, session, error, what);
    throw error;
  }
}

/**
 * What has come of an upload is nobody's; the registry would keep it for days. Who does not answer is not waited for again.
 * Deleting takes another right than pushing: the token for that is not the push's.
 */
async function cancel(client: RepositoryClient, { url }: Session, cause: unknown, what: string): Promise<void> {
  if (cause instanceof ConnectionError) return;
  const options = { headers: { "content-length": "0" }, accept: [200, 202, 204], what, retry: false, apart: true };
  await client.request("DELETE", url, options).then(
    (response) => response.discard(),
    () => {},
  );
}

/** @param session is where to go on, after each piece */
async function send(
  client: RepositoryClient,
  session: Session,
  descriptor: Descriptor,
  options: PushBlobOptions,
  what: string,
): Promise<void> {
  const { digest, size } = descriptor;
  const { chunk, progress, read } = options;
  const part = (offset: number, length: number): Body => ({
    size: length,
    async *stream() {
      let sent = offset;
      for await (const bytes of read(offset, length)) {
        yield bytes;
        sent += bytes.byteLength;
        progress(sent);
      }
    },
  });
  const type = { "content-type": "application/octet-stream" };
  let offset = 0;
  while (chunk !== null && offset < size) {
    const length = Math.min(chunk, size - offset);
    const headers = { ...type, "content-range": `${offset}-${offset + length - 1}` };
    const response = await client.request("PATCH", session.url, {
      headers,
      body: part(offset, length),
      accept: GOES_ON,
      what,
      retry: false,
    });
    response.discard();
    session.url = nextOf(client, response, what, session.url);
    offset += length;
    const held = /^(?:bytes=)?0-(\d+)$/.exec(response.headers["range"] ?? "");
    if (held !== null && Number(held[1]) !== offset - 1) {
      throw new LostSessionError(
        `${session.url.host}: ${what}: the registry has ${Number(held[1]) + 1} of the ${offset} bytes it was sent`,
      );
    }
  }
  const response = await client.request("PUT", withParameter(session.url, "digest", digest), {
    headers: type,
    body: part(offset, size - offset),
    accept: [201, 200, 204],
    what,
    retry: false,
  });
  response.discard();
}

/** A manifest or index that was put in its place. */
export interface PushedRoot {
  /** What the registry calls it. */
  digest: Digest;
  /** Whether the registry has noted what it is a referrer of, if it is one. */
  knowsSubject: boolean;
}

/** Puts a manifest or index in its place: last, when all it refers to is there. @throws {RegistryError} when it keeps another */
export async function pushRoot(
  client: RepositoryClient,
  at: string | Digest,
  mediaType: string,
  bytes: Uint8Array,
): Promise<PushedRoot> {
  const what = `manifest ${at}`;
  const body: Body = { size: bytes.byteLength, stream: () => [bytes] };
  const response = await client.request("PUT", `manifests/${at}`, {
    headers: { "content-type": mediaType },
    body,
    accept: [201, 200, 202, 204],
    what,
  });
  response.discard();
  const digest = keptAs(response.headers["docker-content-digest"], bytes);
  if (digest.claimed !== null && digest.claimed !== digest.own) {
    throw new RegistryError(
      `${client.url("x").host}: ${what}: the registry has kept another manifest, ${digest.claimed} instead of ${digest.own}`,
      200,
    );
  }
  return { digest: isDigest(at) ? at : digest.own, knowsSubject: response.headers["oci-subject"] !== undefined };
}

/**
 * What a registry calls a manifest that was put under a tag: the algorithm is its own choice, whatever the manifest is called elsewhere. One that
 * says nothing has sha256.
 * @see distribution-spec, "Pushing Manifests", and the note at "Checking if content exists in the registry"
 */
function keptAs(header: string | undefined, bytes: Uint8Array): { claimed: Digest | null; own: Digest } {
  const claimed = header !== undefined && isDigest(header) ? header : null;
  return { claimed, own: digestOf(bytes, claimed === null ? "sha256" : splitDigest(claimed).algorithm) };
}
