/** ADD of a URL: fetched as it is, with the name that its path ends with. */
import { copyFileSync, createWriteStream, readFileSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { mkdirAll } from "../../../sys/file.ts";
import { createHash } from "../../../sys/hash.ts";
import { join } from "../../../sys/path-names.ts";
import { randomHex } from "../../../sys/random.ts";
import { atPace, inTime, PaceError } from "../../registry/pace.ts";
import { isRedirect, MOST_REDIRECTS } from "../../registry/redirect.ts";
import { printable } from "../../registry/registry-error.ts";
import type { Store } from "../../store/store.ts";
import type { SecretSource } from "../options.ts";
import { useKept } from "./kept.ts";
import { readSecret } from "./secret.ts";

export interface Download {
  /** Name of the file in the directory. */
  name: string;
  /** `sha256:…` */
  digest: string;
}

/**
 * The name of a URL's file.
 * @param otherwise the name where the URL has none; `null` where it must have one
 * @throws {Error} for what is no URL, and for one whose path ends with a slash
 */
export function nameOfUrl(url: string, otherwise: string | null = null): string {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || parsed.port === "0")
    throw new Error(`${url}: is no URL: http[s]://HOST[:PORT]/PATH is right, a port from 1 to 65535`);
  const name = decoded(parsed.pathname.split("/").at(-1) ?? "", url) || (otherwise ?? "");
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0"))
    throw new Error(
      `${url}: its path ends with no name of a file: a destination that is one, without a slash at its end, is right`,
    );
  return name;
}

function decoded(text: string, url: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error(`${url}: its path has a "%" that begins no byte of UTF-8: %25 stands for the sign itself`);
  }
}

/** What ends a download early, and what it may show. */
export interface Limits {
  signal: AbortSignal;
  /** Milliseconds within which a server has to answer, and to send something: see `registry/pace.ts`. */
  patience: number;
  secrets: ReadonlyMap<string, SecretSource>;
}

/**
 * What a host is shown: the secret HTTP_AUTH_HEADER_<host>, or HTTP_AUTH_TOKEN_<host> as a bearer's token. No other host is, also where the one
 * leads there, nor anybody in the clear whom TLS led there.
 * @see Dockerfile reference, "ADD", "Secrets"
 */
function authorizationFor({ hostname }: URL, secrets: ReadonlyMap<string, SecretSource>): string | null {
  for (const [prefix, scheme] of [
    ["HTTP_AUTH_TOKEN_", "Bearer "],
    ["HTTP_AUTH_HEADER_", ""],
  ] as const) {
    const source = secrets.get(`${prefix}${hostname}`);
    const text = source === undefined ? undefined : readSecret(source)?.toString("utf8").trim();
    if (text !== undefined) return `${scheme}${text}`;
  }
  return null;
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
 * @param otherwise its name where the URL has none
 * @throws {Error} for what cannot be fetched, or comes too slowly, and for a wrong checksum
 */
export async function download(
  store: Store,
  url: string,
  checksum: string | null,
  directory: string,
  limits: Limits,
  otherwise: string | null = null,
): Promise<Download> {
  const name = nameOfUrl(url, otherwise);
  const { path: place, use } = await useKept(store, "downloads", url, limits.signal);
  using _ = use;
  const kept = readKept(place);
  const to = join(directory, name);
  if (kept !== null && kept.digest === checksum) return taken(place, kept, to, name);
  using connection = new Connection(url, limits);
  const response = await connection.request(kept);
  if (response.status === 304 && kept !== null && (checksum === null || checksum === kept.digest))
    return taken(place, kept, to, name);
  const fresh = response.status === 304 ? await connection.request(null) : response;
  if (!fresh.ok || fresh.body === null)
    throw new Error(`${url}: the server answers ${fresh.status} ${fresh.statusText}`.trimEnd() + hintOf(fresh));
  const hash = createHash("sha256");
  const hashing = new Transform({
    transform(chunk: Uint8Array, _, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const body = connection.atPace(fresh.body as unknown as AsyncIterable<Uint8Array>);
  await pipeline(Readable.from(body, { objectMode: false }), hashing, createWriteStream(to, { mode: 0o600 }));
  const digest = `sha256:${hash.digest("hex")}`;
  if (checksum !== null && checksum !== digest)
    throw new Error(`${url}: has the checksum ${digest} instead of ${checksum}`);
  const etag = fresh.headers.get("etag");
  const lastModified = fresh.headers.get("last-modified");
  keep(place, to, { digest, etag, lastModified });
  setTime(to, lastModified);
  return { name, digest };
}

/** @param response of the host that the last redirect leads to */
function hintOf({ status, url }: Response): string {
  if (status !== 401 && status !== 403) return "";
  const { hostname } = new URL(url);
  return `: --secret id=HTTP_AUTH_TOKEN_${hostname},src=FILE shows it a token, HTTP_AUTH_HEADER_${hostname} another credential`;
}

/** What is asked of a server, until that is given up. */
class Connection implements Disposable {
  readonly #end = new AbortController();

  constructor(
    private readonly url: string,
    private readonly limits: Limits,
  ) {}

  async request(kept: Kept | null): Promise<Response> {
    const { signal, patience } = this.limits;
    const headers = {
      "accept-encoding": "identity",
      ...(kept?.etag ? { "if-none-match": kept.etag } : {}),
      ...(kept?.lastModified && !kept.etag ? { "if-modified-since": kept.lastModified } : {}),
    };
    const ended = AbortSignal.any([signal, this.#end.signal]);
    try {
      return await inTime(this.#follow(headers, ended), patience, () => new PaceError(0, patience));
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** Goes where redirects lead: here, since each host is shown its own. */
  async #follow(headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
    let wasSecure = false;
    for (let url = new URL(this.url), count = 0; ; count++) {
      const isSecure = url.protocol === "https:";
      const authorization = wasSecure && !isSecure ? null : authorizationFor(url, this.limits.secrets);
      wasSecure ||= isSecure;
      const shown = authorization === null ? headers : { ...headers, authorization };
      const response = await fetch(url, { redirect: "manual", signal, headers: shown });
      const location = response.headers.get("location") ?? undefined;
      if (!isRedirect(response.status, location)) return response;
      await response.body?.cancel();
      if (count === MOST_REDIRECTS) throw new Error(`more than ${MOST_REDIRECTS} redirects`);
      const next = URL.canParse(location, url.href) ? new URL(location, url) : null;
      if (next === null || !["http:", "https:"].includes(next.protocol))
        throw new Error(`it leads to ${printable(location)}, which is neither http nor https`);
      url = next;
    }
  }

  async *atPace(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    try {
      yield* atPace(body, this.limits.patience);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): Error {
    this.limits.signal.throwIfAborted();
    // The runtime's messages go on with advice for whoever calls fetch.
    const [why] = (error as Error).message.split(" For more information");
    return new Error(`${this.url}: cannot be fetched: ${why}`);
  }

  [Symbol.dispose](): void {
    this.#end.abort();
  }
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
