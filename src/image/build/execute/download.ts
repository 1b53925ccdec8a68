/** ADD of a URL: fetched as it is, with the name that its path ends with. */
import { copyFileSync, createWriteStream, readFileSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { mkdirAll } from "../../../sys/file.ts";
import { createHash } from "../../../sys/hash.ts";
import { join } from "../../../sys/path-names.ts";
import { randomHex } from "../../../sys/random.ts";
import type { Store } from "../../store/store.ts";
import { useKept } from "./kept.ts";

export interface Download {
  /** Name of the file in the directory. */
  name: string;
  /** `sha256:…` */
  digest: string;
}

/** The name of a URL's file. @throws {Error} for what is no URL, and for one whose path ends with a slash */
export function nameOfUrl(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || parsed.port === "0")
    throw new Error(`${url}: is no URL: http[s]://HOST[:PORT]/PATH is right, a port from 1 to 65535`);
  const name = decoded(parsed.pathname.split("/").at(-1) ?? "", url);
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0"))
    throw new Error(`${url}: its path ends with no name of a file`);
  return name;
}

function decoded(text: string, url: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error(`${url}: its path has a "%" that begins no byte of UTF-8: %25 stands for the sign itself`);
  }
}

/** What a server said of what it gave, kept beside it. */
interface Kept {
  digest: string;
  etag: string | null;
  lastModified: string | null;
}

/**
 * Fetches a file. What was fetched before is kept: it is asked for again only if it has changed, and not at all if the checksum says that it is
 * what is wanted. A server that gives no validators is asked for all of it each time.
 * @param directory gets the file
 * @throws {Error} for what cannot be fetched, and for a wrong checksum
 */
export async function download(
  store: Store,
  url: string,
  checksum: string | null,
  directory: string,
  signal: AbortSignal,
): Promise<Download> {
  const name = nameOfUrl(url);
  const { path: place, use } = await useKept(store, "downloads", url);
  using _ = use;
  const kept = readKept(place);
  const to = join(directory, name);
  if (kept !== null && kept.digest === checksum) return taken(place, kept, to, name);
  const response = await request(url, kept, signal);
  if (response.status === 304 && kept !== null && (checksum === null || checksum === kept.digest))
    return taken(place, kept, to, name);
  const fresh = response.status === 304 ? await request(url, null, signal) : response;
  if (!fresh.ok || fresh.body === null)
    throw new Error(`${url}: the server answers ${fresh.status} ${fresh.statusText}`.trimEnd());
  const hash = createHash("sha256");
  const hashing = new Transform({
    transform(chunk: Uint8Array, _, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(Readable.fromWeb(fresh.body as never), hashing, createWriteStream(to, { mode: 0o600 }));
  const digest = `sha256:${hash.digest("hex")}`;
  if (checksum !== null && checksum !== digest)
    throw new Error(`${url}: has the checksum ${digest} instead of ${checksum}`);
  const etag = fresh.headers.get("etag");
  const lastModified = fresh.headers.get("last-modified");
  keep(place, to, { digest, etag, lastModified });
  setTime(to, lastModified);
  return { name, digest };
}

async function request(url: string, kept: Kept | null, signal: AbortSignal): Promise<Response> {
  const headers = {
    "accept-encoding": "identity",
    ...(kept?.etag ? { "if-none-match": kept.etag } : {}),
    ...(kept?.lastModified && !kept.etag ? { "if-modified-since": kept.lastModified } : {}),
  };
  return fetch(url, { redirect: "follow", signal, headers }).catch((error: Error) => {
    signal.throwIfAborted();
    // The runtime's messages go on with advice for whoever calls fetch.
    const [why] = error.message.split(" For more information");
    throw new Error(`${url}: cannot be fetched: ${why}`);
  });
}

function setTime(path: string, lastModified: string | null): void {
  const modified = Date.parse(lastModified ?? "");
  const time = Number.isNaN(modified) ? 0 : modified / 1000;
  utimesSync(path, time, time);
}

/** @returns `null` where there is nothing, or not what was written down */
function readKept(place: string): Kept | null {
  try {
    const kept = JSON.parse(readFileSync(join(place, "kept.json"), "utf8")) as Kept;
    const digest = createHash("sha256")
      .update(readFileSync(join(place, "content")))
      .digest("hex");
    return kept.digest === `sha256:${digest}` ? kept : null;
  } catch {
    return null;
  }
}

/** Each file whole or not at all, and looked at before it is used: two builds may fetch at once. */
function keep(place: string, from: string, kept: Kept): void {
  mkdirAll(place, 0o700);
  const suffix = randomHex(6);
  const write = (name: string, make: (path: string) => void) => {
    make(join(place, `${name}.${suffix}`));
    renameSync(join(place, `${name}.${suffix}`), join(place, name));
  };
  write("content", (path) => copyFileSync(from, path));
  write("kept.json", (path) => writeFileSync(path, JSON.stringify(kept), { mode: 0o600 }));
}

function taken(place: string, { digest, lastModified }: Kept, to: string, name: string): Download {
  copyFileSync(join(place, "content"), to);
  setTime(to, lastModified);
  return { name, digest };
}
