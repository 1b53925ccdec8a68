/** ADD of a URL: fetched as it is, with the name that its path ends with. */
import { createHash } from "node:crypto";
import { createWriteStream, utimesSync } from "node:fs";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { join } from "../../../sys/path-names.ts";

export interface Download {
  /** Name of the file in the directory. */
  name: string;
  /** `sha256:…` */
  digest: string;
}

export function isUrl(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

/** Whether a source is a repository of git, which is not read. */
export function isGit(source: string): boolean {
  return /^(git@|git:\/\/|ssh:\/\/)/.test(source) || (isUrl(source) && /\.git(#.*)?$/.test(source));
}

/** The name of a URL's file. @throws {Error} for one whose path ends with a slash */
export function nameOfUrl(url: string): string {
  const name = decodeURIComponent(new URL(url).pathname.split("/").at(-1) ?? "");
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0"))
    throw new Error(`${url}: its path ends with no name of a file`);
  return name;
}

/** @throws {Error} for what cannot be fetched, and for a wrong checksum */
export async function download(
  url: string,
  checksum: string | null,
  directory: string,
  signal: AbortSignal,
): Promise<Download> {
  const name = nameOfUrl(url);
  const response = await fetch(url, { redirect: "follow", signal, headers: { "accept-encoding": "identity" } }).catch(
    (error: Error) => {
      signal.throwIfAborted();
      throw new Error(`${url}: cannot be fetched: ${error.message}`);
    },
  );
  if (!response.ok || response.body === null)
    throw new Error(`${url}: the server answers ${response.status} ${response.statusText}`.trimEnd());
  const hash = createHash("sha256");
  const hashing = new Transform({
    transform(chunk: Uint8Array, _, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  const path = join(directory, name);
  await pipeline(Readable.fromWeb(response.body as never), hashing, createWriteStream(path, { mode: 0o600 }));
  const digest = `sha256:${hash.digest("hex")}`;
  if (checksum !== null && checksum !== digest)
    throw new Error(`${url}: has the checksum ${digest} instead of ${checksum}`);
  const modified = Date.parse(response.headers.get("last-modified") ?? "");
  const time = Number.isNaN(modified) ? 0 : modified / 1000;
  utimesSync(path, time, time);
  return { name, digest };
}
