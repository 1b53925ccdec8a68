/** A registry in this process that serves an image, and lies as a test tells it to. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { SampleImage } from "../support.ts";

/** Answers a request itself, and says so by `true`. */
export type Lie = (request: IncomingMessage, response: ServerResponse, registry: FakeRegistry) => boolean | undefined;

export class FakeRegistry implements AsyncDisposable {
  /** `GET /v2/…`, in order. */
  readonly requests: { method: string; url: string; headers: IncomingMessage["headers"] }[] = [];
  lie: Lie = () => false;
  readonly #server: Server;

  private constructor(
    readonly image: SampleImage,
    readonly roots: Map<string, { mediaType: string; bytes: Uint8Array }>,
  ) {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async start(image: SampleImage): Promise<FakeRegistry> {
    const { descriptor, blobs } = image;
    const root = { mediaType: descriptor.mediaType, bytes: blobs.get(descriptor.digest) as Uint8Array };
    const registry = new FakeRegistry(
      image,
      new Map([
        ["latest", root],
        [descriptor.digest, root],
      ]),
    );
    await new Promise<void>((done) => registry.#server.listen(0, "127.0.0.1", done));
    registry.host = `127.0.0.1:${(registry.#server.address() as AddressInfo).port}`;
    return registry;
  }

  /** `127.0.0.1:<port>`. */
  host = "";

  /** Requests of a kind: `blobs/sha256:…`. */
  count(part: string): number {
    return this.requests.filter(({ url }) => url.includes(part)).length;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method = "", url = "", headers } = request;
    this.requests.push({ method, url, headers });
    if (this.lie(request, response, this)) return;
    const [, kind = "", name = ""] = /\/(manifests|blobs)\/([^/?]+)/.exec(url) ?? [];
    const root = this.roots.get(name);
    const blob = this.image.blobs.get(name as keyof object);
    if (url === "/v2/") response.end("{}");
    else if (kind === "manifests" && root !== undefined)
      response.writeHead(200, { "content-type": root.mediaType }).end(root.bytes);
    else if (kind === "blobs" && blob !== undefined) this.#blob(request, response, blob);
    else response.writeHead(404).end('{"errors":[{"code":"UNKNOWN","message":"\\u001b[2Jnothing here"}]}');
  }

  #blob({ headers }: IncomingMessage, response: ServerResponse, blob: Uint8Array): void {
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
    const rest = blob.subarray(from);
    const range = from > 0 ? { "content-range": `bytes ${from}-${blob.byteLength - 1}/${blob.byteLength}` } : {};
    response.writeHead(from > 0 ? 206 : 200, { "content-length": String(rest.byteLength), ...range }).end(rest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}
