/** Pushing to a registry that has its own ways. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { pushImage } from "../../../src/image/operations/push.ts";
import { quiet } from "../../../src/image/progress/reporter.ts";
import { referrersTag } from "../../../src/image/registry/referrers.ts";
import { digestOf } from "../../../src/image/store/digest.ts";
import { MEDIA_TYPE } from "../../../src/image/store/media-types.ts";
import { encode, Scratch, sampleImage, storeImage } from "../support.ts";

const PATIENCE = { retries: 2, pause: 1, stall: 1000 };
const image = sampleImage(["one", Array.from({ length: 50_000 }, (_, at) => (at * 7919) % 10_007).join("")]);

interface Upload {
  method: string;
  url: string;
  bytes: Uint8Array;
  headers: IncomingMessage["headers"];
}

/** A registry that remembers what it was sent. */
class Sink implements AsyncDisposable {
  readonly uploads: Upload[] = [];
  /** Answers a request itself, and says so by `true`. */
  answer: (upload: Upload, response: ServerResponse) => boolean = () => false;
  host = "";
  readonly #server = createServer(async (request, response) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of request) chunks.push(chunk as Uint8Array);
    const { method = "", url = "", headers } = request;
    const upload = { method, url, headers, bytes: Buffer.concat(chunks) };
    this.uploads.push(upload);
    if (this.answer(upload, response)) return;
    if (url === "/v2/") response.end("{}");
    else if (method === "HEAD") response.writeHead(404).end();
    // Relative, with a query that has to stay.
    else if (method === "POST") response.writeHead(202, { location: "/elsewhere/upload?_state=first%3D" }).end();
    else if (method === "PATCH")
      response.writeHead(202, { location: `/elsewhere/upload?_state=next${this.uploads.length}` }).end();
    else response.writeHead(201).end();
  });

  static async start(): Promise<Sink> {
    const sink = new Sink();
    await new Promise<void>((done) => sink.#server.listen(0, "127.0.0.1", done));
    sink.host = `127.0.0.1:${(sink.#server.address() as AddressInfo).port}`;
    return sink;
  }

  /** What was put under a digest. */
  blob(digest: string): Uint8Array | undefined {
    return this.uploads.find(
      ({ method, url }) => method === "PUT" && new URL(url, "http://x").searchParams.get("digest") === digest,
    )?.bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}

interface PushOptions {
  chunk?: number;
  /** A name that another image of the store has. */
  also?: string;
  other?: typeof image;
  /** What the registry calls it. */
  called?: string;
  target?: string;
}

async function push(
  sink: Sink,
  { chunk, also, other = image, called = other.descriptor.digest, target }: PushOptions = {},
): Promise<string | null> {
  using scratch = new Scratch();
  const store = scratch.store();
  await storeImage(store, `${sink.host}/a/b:1`, other);
  if (also !== undefined) await storeImage(store, `${sink.host}/${also}`, image);
  try {
    const options = {
      plainHttp: true,
      patience: PATIENCE,
      authFile: scratch.authFile(),
      parallel: 1,
      ...(chunk === undefined ? {} : { chunk }),
    };
    const pushed = await pushImage(store, `${sink.host}/a/b:1`, target, options, quiet);
    expect(pushed).toEqual({
      name: target === undefined ? `${sink.host}/a/b:1` : `${sink.host}/a/b@${called}`,
      digest: called,
    });
    return null;
  } catch (error) {
    expect((error as Error).message).not.toContain("\n");
    return (error as Error).message;
  }
}

test("blobs go where the registry says, its query kept; the manifest comes last, as it is", async () => {
  await using sink = await Sink.start();
  expect(await push(sink)).toBeNull();
  const puts = sink.uploads.filter(({ method, url }) => method === "PUT" && url.startsWith("/elsewhere"));
  expect(puts).toHaveLength(3);
  for (const { url, bytes } of puts) {
    const query = new URL(url, "http://x").searchParams;
    expect(query.get("_state")).toBe("first=");
    expect(query.get("digest")).toBe(digestOf(bytes));
  }
  const last = sink.uploads.at(-1);
  expect(last?.url).toBe("/v2/a/b/manifests/1");
  expect(digestOf(last?.bytes ?? "")).toBe(image.descriptor.digest);
  expect(last?.headers["content-type"]).toBe(image.descriptor.mediaType);
});

test("pieces follow each other, each to the latest address", async () => {
  await using sink = await Sink.start();
  expect(await push(sink, { chunk: 10_000 })).toBeNull();
  const patches = sink.uploads.filter(({ method }) => method === "PATCH");
  const largest = image.manifest.layers[1];
  const own = patches.filter(({ bytes }) => bytes.byteLength > 0).slice(-Math.ceil((largest?.size ?? 0) / 10_000) - 1);
  expect(own.some(({ headers }) => headers["content-range"] === "10000-19999")).toBe(true);
  const whole = Buffer.concat(patches.map(({ bytes }) => bytes));
  expect(whole.byteLength).toBe(
    image.manifest.config.size + image.manifest.layers.reduce((sum, { size }) => sum + size, 0),
  );
  for (const { method, url, bytes } of sink.uploads)
    if (method === "PUT" && url.startsWith("/elsewhere"))
      expect([url.includes("_state=next"), bytes.byteLength]).toEqual([true, 0]);
});

test("a registry that has kept another part than it was sent is given the blob again, and not for ever", async () => {
  await using sink = await Sink.start();
  let lies = 0;
  sink.answer = ({ method }, response) =>
    method === "PATCH" && lies++ < 1 && !!response.writeHead(202, { range: "0-5" }).end();
  expect(await push(sink, { chunk: 10_000 })).toBeNull();
  // One that counts in its own way gets blobs whole, and pieces no more.
  sink.uploads.length = 0;
  sink.answer = ({ method }, response) => method === "PATCH" && !!response.writeHead(202, { range: "0-5" }).end();
  expect(await push(sink, { chunk: 10_000 })).toBeNull();
  expect(sink.uploads.filter(({ method }) => method === "PATCH")).toHaveLength(3);
  for (const { digest, size } of [image.manifest.config, ...image.manifest.layers])
    expect(sink.blob(digest)?.byteLength).toBe(size);
});

test.each<[what: string, location: (host: string) => string, at: string]>([
  ["an absolute address", (host) => `http://${host}/far/away/1?_state=a&x=%2F`, "/far/away/1?_state=a&x=%2F&digest="],
  ["a path alone", () => "/v2/a/b/blobs/uploads/1", "/v2/a/b/blobs/uploads/1?digest="],
  ["a path below the request's", () => "2?_state=b", "/v2/a/b/blobs/uploads/2?_state=b&digest="],
  ["a query that ends openly", () => "/u/1?", "/u/1?digest="],
  ["a query that others write otherwise", () => "/u/1?_state=a%20b~c(d)&e", "/u/1?_state=a%20b~c(d)&e&digest="],
])("a session at %s is gone on with there", async (_, location, at) => {
  await using sink = await Sink.start();
  sink.answer = ({ method }, response) =>
    method === "POST" && !!response.writeHead(202, { location: location(sink.host) }).end();
  expect(await push(sink)).toBeNull();
  const puts = sink.uploads.filter(({ method, url }) => method === "PUT" && !url.includes("/manifests/"));
  expect(puts).toHaveLength(3);
  for (const { url } of puts) expect(url.replaceAll("%3A", ":")).toContain(at.replaceAll("%3A", ":"));
});

test("what a piece's reply says of the range in other words is no loss", async () => {
  for (const range of [undefined, "bytes=0-9999", "0-9999/70000", "nonsense"]) {
    await using sink = await Sink.start();
    const headers = range === undefined ? {} : { range };
    sink.answer = ({ method, bytes }, response) =>
      method === "PATCH" && bytes.byteLength === 10_000 && !!response.writeHead(202, headers).end();
    const result = await push(sink, { chunk: 10_000 });
    expect(result).toBeNull();
  }
});

test("a mount names where from, always: registries refuse one that does not", async () => {
  await using sink = await Sink.start();
  sink.answer = ({ method, url }, response) =>
    method === "POST" && url.includes("mount=") && !url.includes("from=") && !!response.writeHead(400).end();
  expect(await push(sink)).toBeNull();
  expect(await push(sink, { also: "other:1" })).toBeNull();
  const posts = sink.uploads.filter(({ method }) => method === "POST").map(({ url }) => new URL(url, "http://x"));
  const mounts = posts.filter(({ searchParams }) => searchParams.has("mount"));
  expect([posts.length, mounts.length]).toEqual([6, 3]);
  for (const { searchParams } of mounts) expect(searchParams.get("from")).toBe("other");
});

test("a mount that is not made becomes an upload in the session that it began", async () => {
  await using sink = await Sink.start();
  expect(await push(sink, { also: "other:1" })).toBeNull();
  const posts = sink.uploads.filter(({ method }) => method === "POST");
  expect(posts.map(({ url }) => new URL(url, "http://x").searchParams.get("from"))).toEqual([
    "other",
    "other",
    "other",
  ]);
  expect(sink.blob(image.manifest.config.digest)).toBeDefined();
});

test("a mount that is made sends nothing, and one that is refused is no failure", async () => {
  await using sink = await Sink.start();
  sink.answer = ({ method, url }, response) =>
    method === "POST" && url.includes("mount=") && !!response.writeHead(201).end();
  expect(await push(sink, { also: "other:1" })).toBeNull();
  expect(sink.uploads.filter(({ method }) => method === "PUT").map(({ url }) => url)).toEqual(["/v2/a/b/manifests/1"]);
  sink.answer = ({ method, url }, response) =>
    method === "POST" && url.includes("mount=") && !!response.writeHead(400).end();
  expect(await push(sink, { also: "other:1" })).toBeNull();
});

test("what a redirect signed for GET alone refuses to tell is sent", async () => {
  await using sink = await Sink.start();
  sink.answer = ({ method }, response) => method === "HEAD" && !!response.writeHead(403).end();
  expect(await push(sink)).toBeNull();
  expect(sink.blob(image.manifest.config.digest)).toBeDefined();
});

test("a token that ends at the last request is renewed, and the body sent again", async () => {
  await using sink = await Sink.start();
  let token = 0;
  let refused = 0;
  sink.answer = ({ method, url, headers }, response) => {
    if (url.startsWith("/token")) return !!response.end(JSON.stringify({ token: `t${++token}` }));
    const late = method === "PUT" && headers.authorization === "Bearer t1";
    if (late) refused++;
    if (headers.authorization !== undefined && !late) return false;
    return !!response
      .writeHead(401, {
        "www-authenticate": `Bearer realm="http://${sink.host}/token",scope="repository:a/b:pull,push"`,
      })
      .end();
  };
  expect(await push(sink)).toBeNull();
  expect(refused).toBe(1);
  for (const layer of image.manifest.layers) {
    const sent = sink.uploads.filter(({ url }) => new URL(url, "http://x").searchParams.get("digest") === layer.digest);
    expect(digestOf(sent.at(-1)?.bytes ?? "")).toBe(layer.digest);
  }
});

describe("calling an upload off", () => {
  /** A registry of short-lived tokens that takes the first blob at the second try, and wants another token for deleting. */
  async function pushTo(
    sink: Sink,
    deletion: (scope: string) => string,
  ): Promise<{ asked: string[]; shown: string[] }> {
    const asked: string[] = [];
    let token = "";
    let puts = 0;
    sink.answer = ({ method, url, headers }, response) => {
      if (url.startsWith("/token")) {
        const scope = new URL(url, "http://x").searchParams.get("scope") ?? "";
        asked.push(scope);
        if (scope !== "repository:a/b:pull,push") return !!response.writeHead(401).end();
        token = `push${asked.length}`;
        // It has run out for whoever is careful.
        return !!response.end(JSON.stringify({ token, expires_in: 1 }));
      }
      if (method === "DELETE")
        return !!response.writeHead(401, { "www-authenticate": deletion("repository:a/b:delete") }).end();
      if (headers.authorization === `Bearer ${token}`)
        return method === "PUT" && url.startsWith("/elsewhere") && ++puts === 1 && !!response.writeHead(503).end();
      const scope = "repository:a/b:pull,push";
      const challenge = `Bearer realm="http://${sink.host}/token",scope="${scope}"`;
      return !!response.writeHead(401, { "www-authenticate": challenge }).end();
    };
    expect(await push(sink)).toBeNull();
    expect(puts).toBe(image.blobs.size);
    const shown = sink.uploads
      .filter(({ method, url }) => method !== "DELETE" && url !== "/v2/" && !url.startsWith("/token"))
      .map(({ headers }) => headers.authorization ?? "none");
    return { asked, shown };
  }

  test.each([
    ["of a kind that there are no credentials for", () => 'Basic realm="x"'],
    ["of no known kind", () => "Negotiate"],
  ])("a challenge %s leaves the push its own way of renewing its token", async (_, deletion) => {
    await using sink = await Sink.start();
    const { asked } = await pushTo(sink, deletion);
    expect(new Set(asked)).toEqual(new Set(["repository:a/b:pull,push"]));
  });

  test("a challenge for a token that is refused does the same", async () => {
    await using sink = await Sink.start();
    const { shown } = await pushTo(sink, (scope) => `Bearer realm="http://${sink.host}/token",scope="${scope}"`);
    expect(shown).not.toContain("none");
  });

  test("the token it gets is for nothing else", async () => {
    await using sink = await Sink.start();
    let puts = 0;
    sink.answer = ({ method, url, headers }, response) => {
      if (url.startsWith("/token"))
        return !!response.end(JSON.stringify({ token: url.includes("delete") ? "delete" : "push" }));
      const action = method === "DELETE" ? "delete" : "push";
      if (headers.authorization === `Bearer ${action}`)
        return method === "PUT" && ++puts === 1 && !!response.writeHead(503).end();
      const challenge = `Bearer realm="http://${sink.host}/token",scope="repository:a/b:${action}"`;
      return !!response.writeHead(401, { "www-authenticate": challenge }).end();
    };
    expect(await push(sink)).toBeNull();
    const deletions = sink.uploads.filter(({ method }) => method === "DELETE");
    expect(deletions.at(-1)?.headers.authorization).toBe("Bearer delete");
    const others = sink.uploads.filter(({ method }) => method !== "DELETE");
    expect(others.map(({ headers }) => headers.authorization)).not.toContain("Bearer delete");
  });
});

test("a token server that knows one scope at a time gives one without the mount's", async () => {
  await using sink = await Sink.start();
  sink.answer = ({ url, headers, method }, response) => {
    if (url.startsWith("/token")) {
      const scopes = new URL(url, "http://x").searchParams.getAll("scope");
      return !!response.writeHead(scopes.length === 1 ? 200 : 401).end('{"token":"one"}');
    }
    if (headers.authorization === "Bearer one") return url.includes("mount=") && !!response.writeHead(403).end();
    const scope = method === "GET" ? "" : ',scope="repository:a/b:pull,push"';
    return !!response.writeHead(401, { "www-authenticate": `Bearer realm="http://${sink.host}/token"${scope}` }).end();
  };
  expect(await push(sink, { also: "other:1" })).toBeNull();
  expect(sink.blob(image.manifest.config.digest)).toBeDefined();
});

test("a registry that has kept another manifest is told", async () => {
  await using sink = await Sink.start();
  sink.answer = ({ method, url }, response) =>
    method === "PUT" &&
    url.includes("/manifests/") &&
    !!response.writeHead(201, { "docker-content-digest": digestOf("x") }).end();
  expect(await push(sink)).toContain("the registry has kept another manifest");
});

test("where it does not say where to upload to, that is told", async () => {
  await using sink = await Sink.start();
  sink.answer = ({ method }, response) => method === "POST" && !!response.writeHead(202).end();
  expect(await push(sink)).toContain("does not say where to upload to");
});

test.each([
  ["PUT", 503],
  ["PUT", 429],
  ["POST", 500],
] as const)("a %s of a blob that is answered %i is tried again", async (refused, status) => {
  await using sink = await Sink.start();
  let failures = 0;
  sink.answer = ({ method, url }, response) =>
    method === refused &&
    !url.includes("/manifests/") &&
    failures++ < 1 &&
    !!response.writeHead(status, { "retry-after": "0" }).end();
  expect(await push(sink)).toBeNull();
  for (const digest of [image.manifest.config.digest, ...image.manifest.layers.map((layer) => layer.digest)])
    expect(digestOf(sink.blob(digest) ?? "")).toBe(digest);
});

test("a blob that is always refused for the moment is sent as often as said", async () => {
  await using sink = await Sink.start();
  sink.answer = ({ method, url }, response) =>
    method === "POST" && url.includes("/uploads/") && !!response.writeHead(503).end();
  expect(await push(sink)).toContain("status 503");
  expect(sink.uploads.filter(({ method }) => method === "POST")).toHaveLength(PATIENCE.retries + 1);
});

test.each([
  ["POST", 200],
  ["POST", 204],
  ["PATCH", 200],
  ["PUT of a blob", 200],
  ["PUT of a manifest", 204],
] as const)("a %s that is answered %i has gone well", async (what, status) => {
  await using sink = await Sink.start();
  sink.answer = ({ method, url }, response) => {
    if (!what.startsWith(method) || url.includes("/manifests/") !== what.endsWith("manifest")) return false;
    return !!response.writeHead(status, method === "PUT" ? {} : { location: "/elsewhere/upload?_state=a" }).end();
  };
  expect(await push(sink, { chunk: 10_000 })).toBeNull();
});

test("pieces are as large as the registry wants them", async () => {
  await using sink = await Sink.start();
  sink.answer = ({ method }, response) =>
    method === "POST" && !!response.writeHead(202, { location: "/elsewhere/u", "oci-chunk-min-length": "30000" }).end();
  expect(await push(sink, { chunk: 10_000 })).toBeNull();
  const sizes = sink.uploads.filter(({ method }) => method === "PATCH").map(({ bytes }) => bytes.byteLength);
  const largest = image.manifest.layers[1]?.size ?? 0;
  expect(sizes.filter((size) => size > 2_000)).toEqual(
    Array.from({ length: Math.ceil(largest / 30_000) }, (_, at) => Math.min(30_000, largest - at * 30_000)),
  );
});

test("pieces that a registry will not have are sent as a whole", async () => {
  await using sink = await Sink.start();
  sink.answer = ({ method }, response) => method === "PATCH" && !!response.writeHead(416).end();
  expect(await push(sink, { chunk: 10_000 })).toBeNull();
});

test.each(["file:///tmp/x", "http://[::bad", ""])(
  "a place to upload to that is none, %j, is told",
  async (location) => {
    await using sink = await Sink.start();
    sink.answer = ({ method }, response) => method === "POST" && !!response.writeHead(202, { location }).end();
    expect(await push(sink)).toMatch(/is to be uploaded to \S+, which is no https|does not say where to upload to/);
  },
);

test("of a blob by another algorithm than sha256 the registry is told", async () => {
  await using sink = await Sink.start();
  const strong = sampleImage(["one"], {}, "sha512");
  expect(await push(sink, { other: strong, called: shortOf(strong) })).toBeNull();
  const posts = sink.uploads.filter(({ method }) => method === "POST").map(({ url }) => url);
  expect(posts).toEqual(Array(2).fill("/v2/a/b/blobs/uploads/?digest-algorithm=sha512"));
});

/** By sha256, whatever it is named by. */
const shortOf = ({ blobs, descriptor }: typeof image) => digestOf(blobs.get(descriptor.digest) as Uint8Array);

describe("a manifest that is named by sha512", () => {
  const strong = sampleImage(["one"], {}, "sha512");
  const { digest } = strong.descriptor;
  /** A registry that keeps what is put under a tag by this digest. */
  const keeping =
    (kept: string | null) =>
    ({ method, url }: Upload, response: ServerResponse) =>
      method === "PUT" &&
      url.includes("/manifests/") &&
      !!response.writeHead(201, kept === null ? {} : { "docker-content-digest": kept }).end();

  test.each([
    ["its own choice", shortOf(strong), shortOf(strong)],
    ["the same", digest, digest],
    ["sha256 where nothing is said", null, shortOf(strong)],
    ["sha256 where what is said is nothing that could be compared", "blake3:ab", shortOf(strong)],
  ])("is called under a tag what the registry calls it: %s", async (_, kept, called) => {
    await using sink = await Sink.start();
    sink.answer = keeping(kept);
    expect(await push(sink, { other: strong, called })).toBeNull();
  });

  test("is called by a digest what it was put as", async () => {
    await using sink = await Sink.start();
    const target = `${sink.host}/a/b@${digest}`;
    expect(await push(sink, { other: strong, target, called: digest })).toBeNull();
    expect(sink.uploads.at(-1)?.url).toBe(`/v2/a/b/manifests/${digest}`);
  });

  test.each([digestOf("x"), digestOf("x", "sha512")])("is another where the registry says %s", async (kept) => {
    await using sink = await Sink.start();
    sink.answer = keeping(kept);
    expect(await push(sink, { other: strong })).toContain(
      `the registry has kept another manifest, ${kept} instead of `,
    );
  });
});

test("an upload that has failed is called off, and one that nobody answers is not", async () => {
  await using sink = await Sink.start();
  sink.answer = ({ method, url }, response) =>
    method === "PUT" &&
    url.startsWith("/elsewhere") &&
    !!response.writeHead(400).end('{"errors":[{"code":"SIZE_INVALID"}]}');
  expect(await push(sink)).toContain("status 400 (SIZE_INVALID)");
  const methods = () => sink.uploads.map(({ method }) => method);
  expect(methods().slice(-2)).toEqual(["PUT", "DELETE"]);
  expect(sink.uploads.at(-1)?.url).toBe("/elsewhere/upload?_state=first%3D");
  // After pieces it is the latest address; whatever it answers, the failure is the upload's.
  sink.answer = ({ method, url }, response) =>
    (method === "DELETE" || (method === "PUT" && url.startsWith("/elsewhere"))) && !!response.writeHead(403).end();
  expect(await push(sink, { chunk: 10_000 })).toContain("access denied");
  expect(sink.uploads.at(-1)?.url).toMatch(/^\/elsewhere\/upload\?_state=next\d+$/);
  sink.uploads.length = 0;
  sink.answer = ({ method, url }, response) =>
    method === "PUT" && url.startsWith("/elsewhere") && !!response.socket?.destroy();
  expect(await push(sink)).not.toBeNull();
  expect(methods()).not.toContain("DELETE");
});

test("an index is sent with what is known of it: what else it lists the registry may have", async () => {
  await using sink = await Sink.start();
  const { digest, size } = image.descriptor;
  const manifests = [
    { mediaType: "application/xml", digest: digestOf("xml"), size: 3 },
    image.descriptor,
    { mediaType: MEDIA_TYPE.manifest, digest: `blake3:${"a".repeat(64)}`, size: 3 },
    { mediaType: "application/xml", digest, size },
  ];
  const bytes = encode({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests });
  const descriptor = { mediaType: MEDIA_TYPE.index, digest: digestOf(bytes), size: bytes.byteLength };
  const other = { ...image, descriptor, blobs: new Map(image.blobs).set(descriptor.digest, bytes) };
  expect(await push(sink, { other })).toBeNull();
  const roots = sink.uploads.filter(({ method, url }) => method === "PUT" && url.includes("/manifests/"));
  expect(roots.map(({ url }) => url)).toEqual([`/v2/a/b/manifests/${digest}`, "/v2/a/b/manifests/1"]);
  expect(digestOf(roots.at(-1)?.bytes ?? "")).toBe(descriptor.digest);
  const lacking = { ...other, blobs: new Map([...other.blobs].filter(([one]) => one !== digest)) };
  expect(await push(sink, { other: lacking })).toContain("is not in the store");
});

describe("a manifest that refers to another", () => {
  const subject = { mediaType: MEDIA_TYPE.manifest, digest: digestOf("subject"), size: 7 };
  const TAG = `/v2/a/b/manifests/sha256-${digestOf("subject").slice("sha256:".length)}`;
  const annotations = { "org.example.kind": "x" };

  function referrer(more: object): typeof image {
    const own = sampleImage(["one"]);
    const bytes = encode({ ...own.manifest, subject, ...more });
    const descriptor = { mediaType: MEDIA_TYPE.manifest, digest: digestOf(bytes), size: bytes.byteLength };
    const blobs = new Map([...own.blobs].filter(([digest]) => digest !== own.descriptor.digest));
    return { ...own, descriptor, blobs: blobs.set(descriptor.digest, bytes) };
  }

  /** What is listed in the end. @param there what the tag has before */
  async function listed(
    other: typeof image,
    there: object | null,
    type: string = MEDIA_TYPE.index,
    called: string = other.descriptor.digest,
  ) {
    await using sink = await Sink.start();
    sink.answer = ({ method, url }, response) =>
      method === "GET" &&
      url === TAG &&
      !!(there === null
        ? response.writeHead(404).end()
        : response.writeHead(200, { "content-type": type }).end(JSON.stringify(there)));
    const error = await push(sink, { other, called });
    const put = sink.uploads.filter(({ method, url }) => method === "PUT" && url === TAG).at(-1);
    return { error, type: put?.headers["content-type"], index: put ? JSON.parse(put.bytes.toString()) : null };
  }

  test.each<[what: string, more: object, artifactType: string]>([
    ["of its own type", { artifactType: "application/spdx", annotations }, "application/spdx"],
    ["of its configuration's type", { annotations }, MEDIA_TYPE.config],
    ["of its configuration's type, its own being empty", { annotations, artifactType: "" }, MEDIA_TYPE.config],
  ])("is listed where the registry does not do that, %s", async (_, more, artifactType) => {
    const other = referrer(more);
    const entry = { ...other.descriptor, artifactType, annotations };
    const empty = { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [] };
    expect(await listed(other, null)).toEqual({
      error: null,
      type: MEDIA_TYPE.index,
      index: { ...empty, manifests: [entry] },
    });
    // What others have written stays.
    const before = { ...empty, manifests: [subject], annotations: { a: "b" }, more: 1 };
    expect((await listed(other, before)).index).toEqual({ ...before, manifests: [subject, entry] });
    expect((await listed(other, { ...empty, manifests: [entry] })).index).toBeNull();
  });

  test.each<[what: string, there: object, type: string]>([
    ["a manifest", sampleImage(["x"]).manifest, MEDIA_TYPE.manifest],
    ["Docker's list", { schemaVersion: 2, manifests: [] }, MEDIA_TYPE.dockerIndex],
  ])("is not listed over %s under that tag, which is told", async (_, there, type) => {
    const { error, index } = await listed(referrer({}), there, type);
    expect(error).toContain(
      `is no OCI index: what was pushed is there, and is not listed as what refers to ${subject.digest}`,
    );
    expect(index).toBeNull();
  });

  test("is listed by what the registry calls it, that being another algorithm's digest", async () => {
    const own = referrer({});
    const bytes = own.blobs.get(own.descriptor.digest) as Uint8Array;
    const descriptor = { ...own.descriptor, digest: digestOf(bytes, "sha512") };
    const strong = { ...own, descriptor, blobs: new Map(own.blobs).set(descriptor.digest, bytes) };
    const { index } = await listed(strong, null, undefined, own.descriptor.digest);
    expect(index.manifests).toMatchObject([{ digest: own.descriptor.digest }]);
  });

  test("is left to a registry that lists it", async () => {
    await using sink = await Sink.start();
    sink.answer = ({ method, url }, response) =>
      method === "PUT" &&
      url.includes("/manifests/") &&
      !!response.writeHead(201, { "oci-subject": subject.digest }).end();
    expect(await push(sink, { other: referrer({}) })).toBeNull();
    expect(sink.uploads.filter(({ url }) => url === TAG)).toEqual([]);
  });

  test.each([
    [`sha512:${"a".repeat(128)}`, `sha512-${"a".repeat(64)}`],
    [
      "test+algorithm+using+algorithm+separators+and+lots+of+characters+to+excercise+overall+truncation:alsoSome=InTheEncodedSectionToShowHyphenReplacementAndLotsAndLotsOfCharactersToExcerciseEncodedTruncation",
      "test-algorithm-using-algorithm-s-alsoSome-InTheEncodedSectionToShowHyphenReplacementAndLotsAndLot",
    ],
  ])("is found by a tag: %s", (digest, tag) => {
    expect(referrersTag(digest)).toBe(tag);
  });
});
