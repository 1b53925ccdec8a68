/** What a pull tries again, how often, and in which other way. */
import { readdirSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { type PullOptions, pullImage } from "../../../src/image/operations/pull.ts";
import { quiet } from "../../../src/image/progress/reporter.ts";
import { digestOf } from "../../../src/image/store/digest.ts";
import { MEDIA_TYPE } from "../../../src/image/store/media-types.ts";
import { encode, Scratch, sampleImage } from "../support.ts";
import { FakeRegistry, type Lie } from "./fake-registry.ts";

const RETRIES = 2;
const CONTENT = Array.from({ length: 50_000 }, (_, at) => (at * 7919) % 10_007).join("");

interface Outcome {
  error: string | null;
  registry: FakeRegistry;
  left: string[];
  /** What was said of waiting. */
  waits: string[];
  /** What the registry warned of, as it is told. */
  warned: string[];
}

async function pull(
  lie: Lie,
  {
    prepare,
    pause = 1,
    ...options
  }: Partial<PullOptions> & { prepare?: (one: FakeRegistry) => void; pause?: number } = {},
): Promise<Outcome> {
  using scratch = new Scratch();
  const store = scratch.store();
  await using registry = await FakeRegistry.start(sampleImage(["first layer", CONTENT]));
  registry.lie = lie;
  prepare?.(registry);
  const waits: string[] = [];
  const warned: string[] = [];
  const told = {
    waits: (line: string) => void waits.push(line),
    warns: (line: string) => void warned.push(line),
  };
  const patience = { retries: RETRIES, pause, stall: 5000, ...told };
  const error = await pullImage(
    store,
    `${registry.host}/a/b`,
    { plainHttp: true, patience, authFile: scratch.authFile(), ...options },
    quiet,
  ).then(
    () => null,
    (failure: Error) => failure.message,
  );
  if (error !== null) expect(error).not.toContain("\n");
  return { error, registry, left: readdirSync(store.paths.ingest), waits, warned };
}

const isManifest = (url: string | undefined) => url?.includes("/manifests/") ?? false;
const isBlob = (url: string | undefined, { image }: FakeRegistry) =>
  url?.includes(`blobs/${image.manifest.layers[1]?.digest}`) ?? false;
const layerOf = ({ image }: FakeRegistry) => image.blobs.get(image.manifest.layers[1]?.digest as never) as Uint8Array;

test("a manifest that is cut off is fetched again", async () => {
  let broken = 0;
  const { error } = await pull(({ url }, response, { roots }) => {
    if (!isManifest(url) || broken++ > 0) return false;
    const bytes = roots.get("latest")?.bytes as Uint8Array;
    response.writeHead(200, { "content-type": MEDIA_TYPE.manifest, "content-length": String(bytes.byteLength) });
    response.write(bytes.subarray(0, 50), () => setTimeout(() => response.socket?.destroy(), 50));
    return true;
  });
  expect(error).toBeNull();
  expect(broken).toBe(2);
});

/** Breaks a blob off once; what asks for the rest is answered by the test. */
function brokenOnce(rest: Lie): Lie {
  let broken = 0;
  return (request, response, registry) => {
    if (!isBlob(request.url, registry)) return false;
    if (request.headers.range !== undefined) return rest(request, response, registry);
    if (broken++ > 0) return false;
    response.writeHead(200, { "content-length": String(layerOf(registry).byteLength) });
    response.write(layerOf(registry).subarray(0, 50_000), () => setTimeout(() => response.socket?.destroy(), 50));
    return true;
  };
}

describe("a registry that knows no ranges and", () => {
  test.each([400, 416, 501])("answers %i to one is asked for the whole", async (status) => {
    const { error, left } = await pull(brokenOnce((_, response) => !!response.writeHead(status).end()));
    expect(error).toBeNull();
    expect(left).toEqual([]);
  });

  test("sends the whole as if it were the range is asked for the whole", async () => {
    const { error } = await pull(
      brokenOnce((_, response, registry) => {
        const { byteLength } = layerOf(registry);
        return !!response
          .writeHead(206, { "content-range": `bytes 0-${byteLength - 1}/${byteLength}` })
          .end(layerOf(registry));
      }),
    );
    expect(error).toBeNull();
  });
});

test("a blob that a registry cannot give is asked for as often as said, not as often again for each time", async () => {
  const { error, registry } = await pull(
    ({ url }, response, one) => isBlob(url, one) && !!response.writeHead(503).end(),
  );
  expect(error).toContain("status 503");
  expect(registry.count(`blobs/${registry.image.manifest.layers[1]?.digest}`)).toBe(RETRIES + 1);
});

test("a redirect to where nobody listens is followed as often as said", async () => {
  const { error, registry } = await pull(
    ({ url }, response, one) =>
      isBlob(url, one) && !!response.writeHead(307, { location: "http://localhost:1/x" }).end(),
  );
  expect(error).toMatch(/^localhost:1: .*ECONNREFUSED/);
  expect(registry.count(`blobs/${registry.image.manifest.layers[1]?.digest}`)).toBe(RETRIES + 1);
});

test("who refuses after a redirect is named, and is not the registry", async () => {
  const { error } = await pull(({ url, headers }, response, one) => {
    const port = one.host.split(":")[1];
    if (headers.host?.startsWith("localhost")) return !!response.writeHead(403).end("<Error>expired</Error>");
    return isBlob(url, one) && !!response.writeHead(307, { location: `http://localhost:${port}${url}` }).end();
  });
  expect(error).toMatch(/blob sha256:[0-9a-f]+: status 403 at localhost:\d+, where it was redirected to$/);
});

test("what is no HTTP is told at once", async () => {
  const { error, registry } = await pull(
    ({ url }, response) => isManifest(url) && !!response.socket?.end("SSH-2.0-x\r\n"),
  );
  expect(error).toContain("what it answers is no HTTP");
  expect(registry.count("/manifests/")).toBe(1);
});

describe("what is compressed without having been asked for", () => {
  test("is told, of a manifest", async () => {
    const { error, registry } = await pull(
      ({ url }, response, { roots }) =>
        isManifest(url) &&
        !!response
          .writeHead(200, { "content-type": MEDIA_TYPE.manifest, "content-encoding": "gzip" })
          .end(gzipSync(roots.get("latest")?.bytes as Uint8Array)),
    );
    expect(error).toContain('manifest latest: was sent with Content-Encoding "gzip", which nobody asked for');
    expect(registry.requests.find(({ url }) => isManifest(url))?.headers["accept-encoding"]).toBe("identity");
  });

  test("is told once, of a blob", async () => {
    const { error, registry, left } = await pull(
      ({ url }, response, one) =>
        isBlob(url, one) && !!response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(layerOf(one))),
    );
    expect(error).toContain('was sent with Content-Encoding "gzip", which nobody asked for');
    expect(registry.count(`blobs/${registry.image.manifest.layers[1]?.digest}`)).toBe(1);
    expect(left).toEqual([]);
  });

  test("is no matter where the bytes are the blob's own: some keep a layer's media type there", async () => {
    const { error } = await pull(
      ({ url }, response, one) =>
        isBlob(url, one) &&
        !!response
          .writeHead(200, { "content-encoding": "gzip", "content-length": String(layerOf(one).byteLength) })
          .end(layerOf(one)),
    );
    expect(error).toBeNull();
  });
});

describe("a token server", () => {
  /** @param answer what it says below /token */
  function guarded(answer: Lie, realm = (host: string) => `http://${host}/token`): Lie {
    return (request, response, registry) => {
      if (request.url?.startsWith("/token")) return answer(request, response, registry);
      if (request.headers.authorization === "Bearer good") return false;
      const challenge = `Bearer realm="${realm(registry.host)}",service="reg"`;
      return !!response.writeHead(401, { "www-authenticate": challenge }).end();
    };
  }
  const credentials = { kind: "password", user: "me", password: "secret" } as const;

  test("may have moved, with credentials to its own host and no other", async () => {
    const shown: [string | undefined, string | undefined][] = [];
    const { error } = await pull(
      guarded(({ url = "", headers }, response, { host }) => {
        shown.push([headers.host, headers.authorization]);
        const [address, query = ""] = url.split("?");
        const next = { "/token": "/token/a", "/token/a": `http://localhost:${host.split(":")[1]}/token/b` }[
          address ?? ""
        ];
        if (next === undefined) return !!response.end('{"token":"good"}');
        return !!response.writeHead(307, { location: `${next}?${query}` }).end();
      }),
      { credentials },
    );
    expect(error).toBeNull();
    const basic = `Basic ${Buffer.from("me:secret").toString("base64")}`;
    expect(shown.map(([host, header]) => [host?.split(":")[0], header])).toEqual([
      ["127.0.0.1", basic],
      ["127.0.0.1", basic],
      ["localhost", undefined],
    ]);
  });

  test.each([
    ["that leads in a circle", "/token", "redirected more than"],
    ["that leads to a file", "file:///etc/passwd", "redirected to file:///etc/passwd"],
    ["that leads nowhere", "http://[::bad", "redirected to http://[::bad"],
  ])("%s is told", async (_, location, message) => {
    const { error } = await pull(guarded((__, response) => !!response.writeHead(307, { location }).end()));
    expect(error).toContain(message);
  });

  test("that is a file is told", async () => {
    const { error } = await pull(
      guarded(
        () => false,
        () => "file:///etc/passwd",
      ),
    );
    expect(error).toContain("wants the token to be got from file:///etc/passwd, which is no https");
  });
});

test("a wait that can be noticed is told, with its reason", async () => {
  let failures = 0;
  const { error, waits } = await pull(
    ({ url }, response) => isManifest(url) && failures++ < 1 && !!response.writeHead(429, { "retry-after": "1" }).end(),
  );
  expect(error).toBeNull();
  expect(waits).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+\/a\/b: manifest latest: status 429: again in 1 s$/)]);
});

test("an index that names another many times over is read once", async () => {
  let count = 0;
  const { error, registry } = await pull(() => false, {
    all: true,
    prepare: ({ image, roots }) => {
      let below = {
        mediaType: image.descriptor.mediaType,
        digest: image.descriptor.digest,
        size: image.descriptor.size,
      };
      for (let depth = 0; depth < 4; depth++) {
        const bytes = encode({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: Array(50).fill(below) });
        below = { mediaType: MEDIA_TYPE.index, digest: digestOf(bytes), size: bytes.byteLength };
        roots.set(below.digest, { mediaType: MEDIA_TYPE.index, bytes });
        roots.set("latest", { mediaType: MEDIA_TYPE.index, bytes });
        count++;
      }
    },
  });
  expect(error).toBeNull();
  expect(registry.count("/manifests/")).toBe(count + 1);
});

test("what a registry warns of is told once, and changes nothing", async () => {
  const header = [
    '299 - "This image is deprecated and will be removed soon."',
    '299 - "in \\"quotes\\", \u009b31mred" , 299 - "two in one"',
    '110 - "Response is stale"',
    "299 nonsense",
    '299 - ""',
  ];
  const { error, warned, registry } = await pull((_, response) => {
    response.setHeader("warning", header);
    return false;
  });
  expect(error).toBeNull();
  const texts = ["This image is deprecated and will be removed soon.", 'in "quotes",  31mred', "two in one"];
  expect(warned).toEqual(texts.map((text) => `warning: ${registry.host}: ${text}`));
  // Without end it is not listened to.
  let count = 0;
  const chatty = await pull((_, response) => {
    response.setHeader(
      "warning",
      Array.from({ length: 10 }, () => `299 - "number ${count++}"`),
    );
    return false;
  });
  expect([chatty.error, chatty.warned.length]).toEqual([null, 16]);
});

test("a storage that blobs are redirected to warns of nothing", async () => {
  const { error, warned } = await pull(({ url, headers }, response, one) => {
    if (!isBlob(url, one)) return false;
    const elsewhere = headers.host?.startsWith("localhost") ?? false;
    if (elsewhere) response.writeHead(200, { warning: '299 - "no registry"' }).end(layerOf(one));
    else response.writeHead(307, { location: `http://${one.host.replace("127.0.0.1", "localhost")}${url}` }).end();
    return true;
  });
  expect([error, warned]).toEqual([null, []]);
});
