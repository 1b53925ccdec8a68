/** Pulling from a registry that lies, breaks off, stalls and asks for things: one clear line, or the right image. */
import { once } from "node:events";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { login } from "../../../src/image/operations/login.ts";
import { type PullOptions, pullImage } from "../../../src/image/operations/pull.ts";
import { verifyStore } from "../../../src/image/operations/verify.ts";
import { quiet } from "../../../src/image/progress/reporter.ts";
import { hasBlob } from "../../../src/image/store/blobs.ts";
import { digestOf } from "../../../src/image/store/digest.ts";
import { listEntries } from "../../../src/image/store/images.ts";
import { MEDIA_TYPE } from "../../../src/image/store/media-types.ts";
import { resolveImage } from "../../../src/image/store/resolve.ts";
import { encode, Scratch, sampleImage } from "../support.ts";
import { FakeRegistry, type Lie } from "./fake-registry.ts";

const PATIENCE = { retries: 2, pause: 1, stall: 1000 };
const CONTENT = "content ".repeat(20_000) + Array.from({ length: 50_000 }, (_, at) => (at * 7919) % 10_007).join("");

interface Outcome {
  error: string | null;
  registry: FakeRegistry;
  /** What is left below `ingest/`. */
  left: string[];
  names: (string | null)[];
}

/** Pulls once. @param check with the store, after a pull that went well */
async function pull(
  lie: Lie,
  options: Partial<PullOptions> & {
    reference?: string;
    prepare?: (registry: FakeRegistry) => void;
    sha512?: true;
  } = {},
): Promise<Outcome> {
  using scratch = new Scratch();
  const store = scratch.store();
  const image = sampleImage(["first layer", CONTENT]);
  await using registry = await FakeRegistry.start(image);
  registry.lie = lie;
  options.prepare?.(registry);
  let error: string | null = null;
  try {
    const reference = `${registry.host}/a/b${options.reference ?? ""}`;
    await pullImage(
      store,
      reference,
      { plainHttp: true, patience: PATIENCE, authFile: scratch.authFile(), ...options },
      quiet,
    );
    if (!options.sha512) for (const layer of image.manifest.layers) expect(hasBlob(store, layer)).toBe(true);
    await resolveImage(store, reference);
  } catch (failure) {
    error = (failure as Error).message;
    expect(error).not.toContain("\n");
    expect(error).not.toContain("\u001b");
    expect(listEntries(store)).toEqual([]);
  }
  return { error, registry, left: readdirSync(store.paths.ingest), names: listEntries(store).map(({ name }) => name) };
}

const isBlob = (url: string | undefined, image: FakeRegistry) =>
  url?.includes(`blobs/${image.image.manifest.layers[1]?.digest}`) ?? false;
const isManifest = (url: string | undefined) => url?.includes("/manifests/") ?? false;
const layerOf = ({ image }: FakeRegistry) => image.blobs.get(image.manifest.layers[1]?.digest as never) as Uint8Array;

test("an image is pulled with all that belongs to it", async () => {
  const { error, registry, left, names } = await pull(() => false);
  expect(error).toBeNull();
  expect(left).toEqual([]);
  expect(names).toEqual([`${registry.host}/a/b:latest`]);
  expect(registry.requests.map(({ url }) => url).filter((url) => url.includes("/blobs/"))).toHaveLength(3);
});

/** Each is told in one line, and nothing of it stays. */
const lies: [what: string, lie: Lie, message: string][] = [
  [
    "other bytes of the same number",
    ({ url }, response, registry) => isBlob(url, registry) && !!response.end(layerOf(registry).map((byte) => byte ^ 1)),
    "HOST: DIGEST: what was sent has another digest",
  ],
  [
    "more bytes, by Content-Length",
    ({ url }, response, registry) =>
      isBlob(url, registry) && !!response.end(Buffer.concat([layerOf(registry), Buffer.from("x")])),
    "were announced",
  ],
  [
    "more bytes, in chunks",
    ({ url }, response, registry) => {
      if (!isBlob(url, registry)) return false;
      response.write(layerOf(registry));
      response.end("more");
      return true;
    },
    "HOST: DIGEST: there are more bytes than the",
  ],
  [
    "fewer bytes, by Content-Length",
    ({ url }, response, registry) => isBlob(url, registry) && !!response.end(layerOf(registry).subarray(1)),
    "were announced",
  ],
  [
    "a loop of redirects",
    ({ url }, response, registry) =>
      isBlob(url, registry) && !!response.writeHead(307, { location: url as string }).end(),
    "redirected more than 10 times",
  ],
  [
    "a redirect to a file",
    ({ url }, response, registry) =>
      isBlob(url, registry) && !!response.writeHead(307, { location: "file:///etc/passwd" }).end(),
    "redirected to file:///etc/passwd",
  ],
  [
    "a manifest of another digest than its header says",
    ({ url }, response, registry) =>
      isManifest(url) &&
      !!response
        .writeHead(200, { "docker-content-digest": digestOf("x"), "content-type": MEDIA_TYPE.manifest })
        .end(registry.roots.get("latest")?.bytes),
    "another digest than the registry says",
  ],
  [
    "a manifest of another media type than its header says",
    ({ url }, response, registry) =>
      isManifest(url) &&
      !!response.writeHead(200, { "content-type": MEDIA_TYPE.index }).end(registry.roots.get("latest")?.bytes),
    "/mediaType",
  ],
  [
    "a document that is a manifest and an index",
    ({ url }, response, registry) =>
      isManifest(url) &&
      !!response.end(JSON.stringify({ ...registry.image.manifest, mediaType: undefined, manifests: [] })),
    "could be read as two different images",
  ],
  [
    "a page for people",
    ({ url }, response) =>
      isManifest(url) && !!response.writeHead(200, { "content-type": "text/html" }).end("<html>Sign in</html>"),
    'is no JSON: it begins with "<html>',
  ],
  [
    "a manifest of schema 1",
    ({ url }, response) =>
      isManifest(url) && !!response.end(JSON.stringify({ schemaVersion: 1, name: "a", fsLayers: [], history: [] })),
    "schema 1",
  ],
  [
    "a manifest of 5 MiB",
    ({ url }, response) => isManifest(url) && !!response.end(" ".repeat(5 << 20)),
    "more than the 4194304 bytes",
  ],
  [
    "a manifest nested without end",
    ({ url }, response) => isManifest(url) && !!response.end(`{"config":${"[".repeat(100_000)}`),
    "is no JSON",
  ],
  [
    "a digest of an unknown algorithm",
    ({ url }, response, { image: { manifest } }) =>
      isManifest(url) &&
      !!response.end(
        JSON.stringify({
          ...manifest,
          layers: [{ ...manifest.layers[0], digest: `md5:${"0".repeat(32)}` }, manifest.layers[1]],
        }),
      ),
    "/layers/0/digest",
  ],
  [
    "a digest that is a path",
    ({ url }, response, { image: { manifest } }) =>
      isManifest(url) &&
      !!response.end(
        JSON.stringify({ ...manifest, config: { ...manifest.config, digest: "sha256:../../../etc/passwd" } }),
      ),
    "/config/digest",
  ],
  [
    "a negative size",
    ({ url }, response, { image: { manifest } }) =>
      isManifest(url) && !!response.end(JSON.stringify({ ...manifest, config: { ...manifest.config, size: -1 } })),
    "/config/size",
  ],
  [
    "a config of a gigabyte",
    ({ url }, response, { image: { manifest } }) =>
      isManifest(url) && !!response.end(JSON.stringify({ ...manifest, config: { ...manifest.config, size: 1 << 30 } })),
    "more than the 4194304 that are read",
  ],
  [
    "fewer layers than the config has diffIDs",
    ({ url }, response, { image: { manifest } }) =>
      isManifest(url) && !!response.end(JSON.stringify({ ...manifest, layers: manifest.layers.slice(1) })),
    "has 1 layers, and the config has diff_ids for 2",
  ],
  [
    "an artifact",
    ({ url }, response, { image: { manifest } }) =>
      isManifest(url) &&
      !!response.end(
        JSON.stringify({ ...manifest, config: { ...manifest.config, mediaType: "application/vnd.oci.empty.v1+json" } }),
      ),
    "is no image but an artifact",
  ],
  [
    "escapes for the terminal",
    ({ url }, response) =>
      isManifest(url) && !!response.writeHead(400).end('{"errors":[{"code":"A","message":"\\u001b[31mred\\nline"}]}'),
    "status 400 (A:  [31mred line)",
  ],
];

test.each(lies)("%s", async (_, lie, message) => {
  const { error, left, registry } = await pull(lie);
  const said = error?.replaceAll(registry.host, "HOST").replace(/sha256:[0-9a-f]{64}/, "DIGEST");
  expect(said).toContain(message);
  expect(left).toEqual([]);
});

test("by digest, only the own hash counts", async () => {
  const { error } = await pull(({ url }, response) => isManifest(url) && !!response.end("{}"), {
    reference: `@${digestOf("x")}`,
  });
  expect(error).toContain("has another digest than was asked for");
});

test("what is closed half-way goes on where it ended", async () => {
  let broken = 0;
  const { error, registry } = await pull(({ url }, response, one) => {
    if (!isBlob(url, one) || broken++ > 0) return false;
    const layer = layerOf(one);
    response.writeHead(200, { "content-length": String(layer.byteLength) });
    response.write(layer.subarray(0, 50_000), () => setTimeout(() => response.socket?.destroy(), 100));
    return true;
  });
  expect(error).toBeNull();
  const ranges = registry.requests.flatMap(({ headers }) => headers.range ?? []);
  expect(ranges).toEqual(["bytes=50000-"]);
});

test("a registry that knows no ranges begins at the beginning, and that is seen", async () => {
  let broken = 0;
  const { error } = await pull(({ url }, response, one) => {
    if (!isBlob(url, one)) return false;
    const layer = layerOf(one);
    response.writeHead(200, { "content-length": String(layer.byteLength) });
    if (broken++ > 0) return !!response.end(layer);
    response.write(layer.subarray(0, 50_000), () => setTimeout(() => response.socket?.destroy(), 100));
    return true;
  });
  expect(error).toBeNull();
});

test("another range than was asked for, whatever is asked for, is told", async () => {
  let broken = 0;
  const { error } = await pull(({ url }, response, one) => {
    if (!isBlob(url, one)) return false;
    const layer = layerOf(one);
    if (broken++ > 0)
      return !!response
        .writeHead(206, { "content-range": `bytes 7-${layer.byteLength - 1}/${layer.byteLength}` })
        .end(layer.subarray(7));
    response.writeHead(200, { "content-length": String(layer.byteLength) });
    response.write(layer.subarray(0, 50_000), () => setTimeout(() => response.socket?.destroy(), 100));
    return true;
  });
  expect(error).toContain("asked for the bytes from 0 on");
});

test("what is always closed half-way is told, and kept for the next time", async () => {
  const { error, left } = await pull(({ url }, response, one) => {
    if (!isBlob(url, one)) return false;
    response.writeHead(200, { "content-length": String(layerOf(one).byteLength) });
    response.write("x", () => setTimeout(() => response.socket?.destroy(), 100));
    return true;
  });
  expect(error).toMatch(/closed half-way|another digest|got "no Content-Range"|closed the connection/);
  expect(left.length).toBeLessThanOrEqual(1);
});

test("a registry that stalls is told", async () => {
  const { error } = await pull(
    ({ url }, response, one) =>
      isBlob(url, one) &&
      !!response.writeHead(200, { "content-length": String(layerOf(one).byteLength) }) &&
      response.write("x") !== undefined,
  );
  // By whichever of two clocks is the first.
  expect(error).toMatch(/nothing has come for 1 second|no more than 1 byte has come in 1 second/);
});

/** Sends a byte now and then. */
function drip(write: (text: string) => unknown, response: { on(event: "close", act: () => void): unknown }): true {
  const timer = setInterval(() => write("x"), 100);
  response.on("close", () => clearInterval(timer));
  return true;
}

test("a registry that sends a blob byte by byte is given up", async () => {
  const { error, registry } = await pull(({ url }, response, one) => {
    if (!isBlob(url, one)) return false;
    response.writeHead(200, { "content-length": String(layerOf(one).byteLength) });
    return drip((text) => response.write(text), response);
  });
  expect(error).toMatch(/no more than \d+ bytes? ha(s|ve) come in 1 second/);
  expect(registry.count(registry.image.manifest.layers[1]?.digest as string)).toBe(1 + PATIENCE.retries);
});

test("and one that never comes to the end of its headers", async () => {
  const { error } = await pull(({ url }, response) => {
    if (!isManifest(url)) return false;
    response.socket?.write("HTTP/1.1 200 OK\r\nx-slow: ");
    return drip((text) => response.socket?.write(text), response);
  });
  expect(error).toContain("nothing has come for 1 second");
});

test("and one that closes the connection after each byte", async () => {
  const { error, registry } = await pull(({ url, headers }, response, one) => {
    if (!isBlob(url, one)) return false;
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
    const whole = layerOf(one);
    response.writeHead(from === 0 ? 200 : 206, {
      "content-length": String(whole.byteLength - from),
      ...(from === 0 ? {} : { "content-range": `bytes ${from}-${whole.byteLength - 1}/${whole.byteLength}` }),
    });
    response.write(whole.subarray(from, from + 1), () => setTimeout(() => response.socket?.destroy(), 50));
    return true;
  });
  expect(error).toMatch(/closed half-way|closed the connection/);
  expect(registry.count(registry.image.manifest.layers[1]?.digest as string)).toBe(1 + PATIENCE.retries);
});

test.each([
  ["429 with seconds", 429, { "retry-after": "0" }],
  ["503 with a date", 503, { "retry-after": new Date().toUTCString() }],
  ["502", 502, {}],
] as const)("%s is tried again", async (_, status, headers) => {
  let failures = 0;
  const { error } = await pull(
    ({ url }, response) => isManifest(url) && failures++ < 2 && !!response.writeHead(status, headers).end(),
  );
  expect(error).toBeNull();
  expect(failures).toBe(3);
});

test("a port where nobody listens is told at once", async () => {
  using scratch = new Scratch();
  const patience = { ...PATIENCE, pause: 60_000 };
  await expect(
    pullImage(scratch.store(), "localhost:1/a/b", { plainHttp: true, patience, authFile: scratch.authFile() }, quiet),
  ).rejects.toThrow(/^localhost:1: .*ECONNREFUSED/);
});

test.each([
  [false, ": does it speak TLS? (--plain-http does without it)"],
  [true, ""],
])("a server that hangs up on what it hears first, without TLS: %s", async (plainHttp, hint) => {
  using scratch = new Scratch();
  const server = createServer((socket) => socket.once("data", () => socket.destroy()));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    const options = { plainHttp, patience: PATIENCE, authFile: scratch.authFile() };
    await expect(pullImage(scratch.store(), `${host}/a/b`, options, quiet)).rejects.toThrow(
      `${host}: closed the connection${hint}`,
    );
  } finally {
    server.close();
  }
});

test("other refusals are not tried again", async () => {
  const { error, registry } = await pull(({ url }, response) => isManifest(url) && !!response.writeHead(404).end());
  expect(error).toContain("there is none");
  expect(registry.count("/manifests/")).toBe(1);
});

test("a media type that says nothing is made up for by the document", async () => {
  const { error } = await pull(
    ({ url }, response, { roots }) =>
      isManifest(url) &&
      !!response.writeHead(200, { "content-type": "text/plain; charset=utf-8" }).end(roots.get("latest")?.bytes),
  );
  expect(error).toBeNull();
});

/** A registry that wants a token; the same server gives it. */
function guarded(
  valid: (token: string, url: string) => boolean,
  scope: (url: string) => string,
  give: (url: URL, authorization: string | undefined) => object | null,
): Lie {
  return ({ url = "", headers, method }, response, { host }) => {
    if (url.startsWith("/token")) {
      const token = method === "GET" ? give(new URL(url, "http://x"), headers.authorization) : null;
      response.writeHead(token === null ? 401 : 200, { "content-type": "application/json" }).end(JSON.stringify(token));
      return true;
    }
    if (valid(headers.authorization?.replace("Bearer ", "") ?? "", url)) return false;
    response
      .writeHead(401, { "www-authenticate": `Bearer realm="http://${host}/token",service="reg",scope="${scope(url)}"` })
      .end();
    return true;
  };
}

test("a token is got for what is asked, with the scope as it came", async () => {
  const scopes: (string | null)[] = [];
  const lie = guarded(
    (token) => token === "good",
    () => "repository:a/b:pull repository:c/d:pull",
    (url, authorization) => {
      scopes.push(url.searchParams.get("scope"));
      return authorization === `Basic ${Buffer.from("me:pass:word").toString("base64")}`
        ? { access_token: "good" }
        : null;
    },
  );
  const { error } = await pull(lie, { credentials: { kind: "password", user: "me", password: "pass:word" } });
  expect(error).toBeNull();
  expect(scopes).toEqual(["repository:a/b:pull repository:c/d:pull"]);
});

test("a token that is too narrow, or has ended, is answered by another for the new challenge", async () => {
  let given = 0;
  const lie = guarded(
    (token, url) => token === (url.includes("/blobs/") ? "wide" : "narrow") || token === "wide",
    (url) => (url.includes("/blobs/") ? "repository:a/b:pull,blobs" : "repository:a/b:pull"),
    (url) => {
      given++;
      return { token: url.searchParams.get("scope")?.endsWith(",blobs") ? "wide" : "narrow" };
    },
  );
  const { error } = await pull(lie, { parallel: 1 });
  expect(error).toBeNull();
  expect(given).toBe(2);
});

test("wrong credentials are told, and not shown for ever", async () => {
  const { error, registry } = await pull(
    guarded(
      () => false,
      () => "x",
      () => ({ token: "bad" }),
    ),
    { credentials: { kind: "password", user: "a", password: "b" } },
  );
  expect(error).toContain("access denied");
  expect(registry.count("/token")).toBeLessThan(6);
});

test("a registry that challenges at its front door alone gets its token", async () => {
  const lie: Lie = ({ url = "", headers }, response, { host }) => {
    if (url.startsWith("/token")) return !!response.end('{"token":"good"}');
    if (headers.authorization === "Bearer good") return false;
    if (url === "/v2/")
      return !!response.writeHead(401, { "www-authenticate": `Bearer realm="http://${host}/token"` }).end();
    return !!response.writeHead(404).end();
  };
  expect((await pull(lie)).error).toBeNull();
});

test("credentials go to no other host", async () => {
  await using other = await FakeRegistry.start(sampleImage(["first layer", CONTENT]));
  const lie: Lie = ({ url, headers }, response, registry) => {
    if (headers.authorization === undefined)
      return !!response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
    return isBlob(url, registry) && !!response.writeHead(307, { location: `http://${other.host}${url}` }).end();
  };
  const { error } = await pull(lie, { credentials: { kind: "password", user: "me", password: "secret" } });
  expect(error).toBeNull();
  expect(other.requests).toHaveLength(1);
  expect(other.requests[0]?.headers.authorization).toBeUndefined();
});

test("an ordinary layer is not fetched from elsewhere, a foreign one is, without credentials", async () => {
  await using other = await FakeRegistry.start(sampleImage(["first layer", CONTENT]));
  const foreign =
    (mediaType: string): Lie =>
    ({ url, headers }, response, registry) => {
      if (headers.authorization === undefined) return !!response.writeHead(401, { "www-authenticate": "Basic" }).end();
      const { manifest } = registry.image;
      const [first, second] = manifest.layers;
      if (isManifest(url)) {
        const layer = { ...second, mediaType, urls: [`http://${other.host}/v2/x/blobs/${second?.digest}`] };
        return !!response.end(JSON.stringify({ ...manifest, layers: [first, layer] }));
      }
      return isBlob(url, registry) && !!response.writeHead(404).end();
    };
  const credentials = { kind: "password", user: "me", password: "secret" } as const;
  expect((await pull(foreign(MEDIA_TYPE.layerGzip), { credentials })).error).toContain("there is none");
  expect(other.requests).toHaveLength(0);
  expect((await pull(foreign(MEDIA_TYPE.dockerForeignLayerGzip), { credentials })).error).toBeNull();
  expect(other.requests[0]?.headers.authorization).toBeUndefined();
});

test("a layer named by its sha512 is compared with that", async () => {
  const change =
    (bytes: (layer: Uint8Array) => Uint8Array): Lie =>
    ({ url }, response, registry) => {
      const { manifest } = registry.image;
      const digest = digestOf(layerOf(registry), "sha512");
      if (isManifest(url)) {
        const layers = [manifest.layers[0], { ...manifest.layers[1], digest }];
        return !!response.end(JSON.stringify({ ...manifest, layers }));
      }
      return (url?.endsWith(digest) ?? false) && !!response.end(bytes(layerOf(registry)));
    };
  const right = await pull(
    change((layer) => layer),
    { sha512: true },
  );
  expect(right.error).toBeNull();
  expect(
    (
      await pull(
        change((layer) => layer.map((byte) => byte ^ 1)),
        { sha512: true },
      )
    ).error,
  ).toContain("has another digest, sha512:");
});

describe("an image that is named by sha512 throughout", () => {
  const image = sampleImage(["first layer", CONTENT], {}, "sha512");
  const { descriptor } = image;
  const platform = { os: "linux", architecture: image.config.architecture };
  const index = encode({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [{ ...descriptor, platform }] });
  const header: Lie = ({ url }, response) => {
    if (url?.endsWith("/manifests/latest")) response.setHeader("docker-content-digest", descriptor.digest);
    return false;
  };

  test.each<[how: string, at: string, lie: Lie]>([
    ["by its digest", `@${descriptor.digest}`, () => false],
    ["by a tag of which the registry says the digest", "", header],
    ["by the digest of an index", `@${digestOf(index, "sha512")}`, () => false],
  ])("is pulled %s, and is there", async (_, at, lie) => {
    using scratch = new Scratch();
    const store = scratch.store();
    await using registry = await FakeRegistry.start(image);
    registry.lie = lie;
    registry.roots.set(digestOf(index, "sha512"), { mediaType: MEDIA_TYPE.index, bytes: index });
    const reference = `${registry.host}/a/b${at}`;
    await pullImage(store, reference, { plainHttp: true, patience: PATIENCE, authFile: scratch.authFile() }, quiet);
    const { manifest } = await resolveImage(store, reference);
    expect(manifest).toEqual(image.manifest);
    for (const id of [descriptor.digest, image.manifest.config.digest.slice(0, 20)])
      expect((await resolveImage(store, id)).descriptor.digest).toBe(descriptor.digest);
    expect((await verifyStore(store, quiet)).problems).toEqual([]);
    expect(readdirSync(`${store.paths.blobs}/sha256`)).toEqual([]);
  });

  test("is not taken for what has another digest", async () => {
    using scratch = new Scratch();
    await using registry = await FakeRegistry.start(image);
    registry.roots.set(descriptor.digest, {
      mediaType: MEDIA_TYPE.manifest,
      bytes: encode({ ...image.manifest, x: 1 }),
    });
    const options = { plainHttp: true, patience: PATIENCE, authFile: scratch.authFile() };
    const pulled = pullImage(scratch.store(), `${registry.host}/a/b@${descriptor.digest}`, options, quiet);
    await expect(pulled).rejects.toThrow(/has another digest than was asked for, sha512:/);
  });
});

test("of an index the image for the platform is taken, never an attestation", async () => {
  const prepare = (registry: FakeRegistry) => {
    const { descriptor } = registry.image;
    const attestation = { ...descriptor, digest: digestOf("x"), platform: { os: "unknown", architecture: "unknown" } };
    const arm = { ...descriptor, digest: digestOf("y"), platform: { os: "linux", architecture: "arm", variant: "v7" } };
    const own = { ...descriptor, platform: { os: "linux", architecture: registry.image.config.architecture } };
    const bytes = encode({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [attestation, arm, own] });
    registry.roots.set("latest", { mediaType: MEDIA_TYPE.index, bytes });
    registry.roots.set(digestOf(bytes), { mediaType: MEDIA_TYPE.index, bytes });
  };
  const { error } = await pull(() => false, { prepare });
  expect(error).toBeNull();
  const none = await pull(() => false, { prepare, platform: { os: "linux", architecture: "s390x" } });
  expect(none.error).toContain("has no image for linux/s390x: it has linux/arm/v7, linux/");
});

test("a single image for another platform than was asked for is refused", async () => {
  const { error } = await pull(() => false, { platform: { os: "linux", architecture: "s390x" } });
  expect(error).toMatch(/is for linux\/\w+, not for linux\/s390x/);
});

test("a name with a tag and a digest is fetched by the digest, and gets no tag", async () => {
  using scratch = new Scratch();
  const image = sampleImage(["a"]);
  await using registry = await FakeRegistry.start(image);
  const store = scratch.store();
  const reference = `${registry.host}/a/b:latest@${image.descriptor.digest}`;
  await pullImage(store, reference, { plainHttp: true, patience: PATIENCE, authFile: scratch.authFile() }, quiet);
  expect(listEntries(store).map(({ name }) => name)).toEqual([`${registry.host}/a/b@${image.descriptor.digest}`]);
  expect(registry.count("/manifests/latest")).toBe(0);
});

test("what is held is not fetched again, and what is damaged is", async () => {
  using scratch = new Scratch();
  const image = sampleImage(["first layer", CONTENT]);
  await using registry = await FakeRegistry.start(image);
  const store = scratch.store();
  const again = () =>
    pullImage(
      store,
      `${registry.host}/a/b`,
      { plainHttp: true, patience: PATIENCE, authFile: scratch.authFile() },
      quiet,
    );
  await again();
  registry.requests.length = 0;
  expect((await again()).upToDate).toBe(true);
  expect(registry.count("/blobs/")).toBe(0);
  const { blobPath } = await import("../../../src/image/store/blobs.ts");
  const layer = image.manifest.layers[1];
  writeFileSync(blobPath(store, layer?.digest as never), new Uint8Array(layer?.size ?? 0));
  expect((await again()).upToDate).toBe(false);
  expect(registry.count("/blobs/")).toBe(1);
});

test("neither a HEAD nor Docker-Content-Digest is needed, and one of another kind is not believed", async () => {
  const { error, registry } = await pull(
    ({ method }, response) => method === "HEAD" && !!response.writeHead(403).end(),
  );
  expect(error).toBeNull();
  expect(registry.requests.filter(({ method }) => method === "HEAD")).toEqual([]);
  for (const claimed of ["", "nonsense", "md5:900150983cd24fb0d6963f7d28e17f72"]) {
    const { error: other } = await pull(({ url }, response, { image }) => {
      if (!isManifest(url)) return false;
      const headers = { "content-type": image.descriptor.mediaType, "docker-content-digest": claimed };
      return !!response.writeHead(200, headers).end(image.blobs.get(image.descriptor.digest));
    });
    expect(other).toBeNull();
  }
});

test("an identity token is exchanged by POST, and shown to nobody but the token server", async () => {
  const asked: string[] = [];
  const { error, registry } = await pull(
    (request, response, { host }) => {
      const { url = "", method, headers } = request;
      if (url.startsWith("/token")) {
        const chunks: Buffer[] = [];
        request.on("data", (chunk: Buffer) => chunks.push(chunk));
        request.on("end", () => {
          asked.push(`${method} ${Buffer.concat(chunks)}`);
          response.end('{"access_token":"good"}');
        });
        return true;
      }
      if (headers.authorization === "Bearer good") return false;
      const realm = `Bearer realm="http://${host}/token",service="s",scope="repository:a/b:pull"`;
      return !!response.writeHead(401, { "www-authenticate": realm }).end();
    },
    { credentials: { kind: "identity", token: "opaque" } },
  );
  expect(error).toBeNull();
  expect(asked).toHaveLength(1);
  const [method, form = ""] = (asked[0] ?? "").split(" ");
  expect(method).toBe("POST");
  expect(Object.fromEntries(new URLSearchParams(form))).toEqual({
    grant_type: "refresh_token",
    refresh_token: "opaque",
    client_id: "tsrunc",
    service: "s",
    scope: "repository:a/b:pull",
  });
  for (const { url, headers } of registry.requests) expect(`${url} ${JSON.stringify(headers)}`).not.toContain("opaque");
});

test("an identity token is no password for a registry that wants one", async () => {
  const { error } = await pull(
    (_, response) => !!response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end(),
    { credentials: { kind: "identity", token: "opaque" } },
  );
  expect(error).toMatch(/wants a user and a password, and there is an identity token only/);
});

describe("a mirror", () => {
  /** Pulls from a mirror and, where that fails, the registry itself. */
  async function mirrored(lie: Lie): Promise<{ notes: string[]; own: FakeRegistry; mirror: FakeRegistry }> {
    using scratch = new Scratch();
    const image = sampleImage(["first layer", CONTENT]);
    await using own = await FakeRegistry.start(image);
    await using mirror = await FakeRegistry.start(image);
    mirror.lie = lie;
    mkdirSync(scratch.at("certs"));
    writeFileSync(scratch.at("certs/hosts.toml"), `server = "http://${own.host}"\n[host."http://${mirror.host}"]\n`);
    const notes: string[] = [];
    const store = scratch.store();
    await pullImage(
      store,
      "registry.invalid/a/b",
      { certDir: scratch.at("certs"), patience: PATIENCE, authFile: scratch.authFile(), parallel: 1 },
      { ...quiet, note: (line) => void notes.push(line) },
    );
    expect((await verifyStore(store, quiet)).problems).toEqual([]);
    expect(readdirSync(store.paths.ingest)).toEqual([]);
    return { notes, own, mirror };
  }

  test("that has all is asked alone", async () => {
    const { notes, own, mirror } = await mirrored(() => false);
    expect(notes).toEqual([]);
    expect(own.requests).toEqual([]);
    expect(mirror.count("ns=registry.invalid")).toBeGreaterThan(3);
  });

  test.each<[what: string, lie: Lie]>([
    ["lacks", ({ url }, response, registry) => isBlob(url, registry) && !!response.writeHead(404).end()],
    ["may not give", ({ url }, response, registry) => isBlob(url, registry) && !!response.writeHead(403).end()],
    ["cannot give now", ({ url }, response, registry) => isBlob(url, registry) && !!response.writeHead(503).end()],
    [
      "has damaged",
      ({ url }, response, registry) =>
        isBlob(url, registry) && !!response.end(new Uint8Array(layerOf(registry).byteLength)),
    ],
    [
      "breaks off",
      ({ url, headers }, response, registry) => {
        if (!isBlob(url, registry) || headers.range !== undefined) return isBlob(url, registry) && !!response.destroy();
        const bytes = layerOf(registry);
        response.writeHead(200, { "content-length": String(bytes.byteLength) });
        response.write(bytes.subarray(0, 5000), () => response.destroy());
        return true;
      },
    ],
  ])("that %s one layer is passed over for that layer alone", async (_, lie) => {
    const { notes, own, mirror } = await mirrored(lie);
    expect(notes).toEqual([expect.stringMatching(/^mirror 127\.0\.0\.1:\d+ is passed over: /)]);
    expect(own.requests.filter(({ url }) => url.includes("/blobs/"))).toHaveLength(1);
    expect(own.count("/manifests/")).toBe(0);
    expect(mirror.count("/manifests/")).toBe(1);
  });

  test("that knows an index and not its manifest is passed over for that", async () => {
    const { own } = await mirrored(({ url }, response) => isManifest(url) && !!response.writeHead(404).end());
    expect(own.count("/manifests/")).toBe(1);
    expect(own.count("/blobs/")).toBe(0);
  });
});

test("what is held already is read once more, and says so while it is", async () => {
  using scratch = new Scratch();
  await using registry = await FakeRegistry.start(sampleImage(["first layer", CONTENT]));
  const store = scratch.store();
  const said: string[] = [];
  const reporter = {
    ...quiet,
    task: () => ({ update() {}, say: (state: string) => void said.push(state), done() {} }),
  };
  for (let round = 0; round < 2; round++) {
    said.length = 0;
    await pullImage(
      store,
      `${registry.host}/a/b`,
      { plainHttp: true, patience: PATIENCE, authFile: scratch.authFile() },
      reporter,
    );
  }
  expect(said).toContainEqual(expect.stringMatching(/^checking what is there {2}[\d.]+ kB \/ [\d.]+ kB$/));
});

test("a foreign layer comes from the first of its places that has it, wherever that sends on to", async () => {
  await using other = await FakeRegistry.start(sampleImage(["first layer", CONTENT]));
  const digest = other.image.manifest.layers[1]?.digest;
  const [gone, sentOn, there] = ["/gone", "/sent-on", `/v2/x/blobs/${digest}`];
  other.lie = ({ url }, response) =>
    url === sentOn &&
    !!response.writeHead(302, { location: `http://localhost:${other.host.split(":")[1]}${there}` }).end();
  const urls = [
    "ftp://a/b",
    "http://127.0.0.1:1/nobody",
    ...[gone, sentOn].map((path) => `http://${other.host}${path}`),
  ];
  const serve: Lie = ({ url }, response, { image }) => {
    if (url?.includes(`blobs/${digest}`)) return !!response.writeHead(404).end();
    if (!isManifest(url)) return false;
    const [first, second] = image.manifest.layers;
    const layers = [first, { ...second, mediaType: MEDIA_TYPE.dockerForeignLayerGzip, urls }];
    return !!response.end(JSON.stringify({ ...image.manifest, layers }));
  };
  const credentials = { kind: "password", user: "u", password: "p" } as const;
  expect((await pull(serve, { credentials })).error).toBeNull();
  expect(other.requests.map(({ url }) => url)).toEqual([gone, sentOn, there]);
  for (const { headers } of other.requests) expect(headers.authorization).toBeUndefined();
  other.requests.length = 0;
  urls.push(...Array.from({ length: 100 }, (_, at) => `http://${other.host}/gone/${at}`));
  other.lie = (_, response) => !!response.writeHead(404).end();
  expect((await pull(serve)).error).toContain("there is none");
  expect(other.requests).toHaveLength(15);
  other.lie = ({ url }, response) => !!response.writeHead(302, { location: url as string }).end();
  expect((await pull(serve)).error).toContain("there is none");
});

test.each([
  ["password", 401, "access denied (UNAUTHORIZED): user or password is wrong, or has no access"],
  ["repository", 403, "access denied (UNAUTHORIZED): the repository is missing or wants a login"],
])("who is refused by a registry without tokens is told what of: the %s", async (_, status, message) => {
  const credentials = { kind: "password", user: "u", password: "p" } as const;
  const lie: Lie = ({ headers }, response) => {
    const code = headers.authorization === undefined ? 401 : status;
    return !!response
      .writeHead(code, { "www-authenticate": "Basic realm=x" })
      .end('{"errors":[{"code":"UNAUTHORIZED"}]}');
  };
  const { error, registry } = await pull(lie, { credentials });
  expect(error).toBe(`${registry.host}/a/b: manifest latest: ${message}`);
  using scratch = new Scratch();
  await using front = await FakeRegistry.start(sampleImage(["x"]));
  front.lie = lie;
  const options = { plainHttp: true, patience: PATIENCE, authFile: scratch.at("auth.json") };
  await expect(login(front.host, "u", "p", options, () => {})).rejects.toThrow(`${front.host}: /v2/: ${message}`);
});

/** Another image that a registry has beside its own. */
function beside(registry: FakeRegistry, image: ReturnType<typeof sampleImage>): void {
  for (const [digest, bytes] of image.blobs) registry.image.blobs.set(digest, bytes);
  const { digest, mediaType } = image.descriptor;
  registry.roots.set(digest, { mediaType, bytes: image.blobs.get(digest) as Uint8Array });
}

test("of what does not say what it is for the image is taken that is for this machine", async () => {
  const { error, registry } = await pull(() => false, {
    prepare: (own) => {
      const foreign = sampleImage(["foreign"], { architecture: "s390x" });
      beside(own, foreign);
      const nested = encode({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: [foreign.descriptor] });
      const below = { mediaType: MEDIA_TYPE.index, digest: digestOf(nested), size: nested.byteLength };
      own.roots.set(below.digest, { mediaType: MEDIA_TYPE.index, bytes: nested });
      const unknown = { mediaType: "application/xml", digest: `blake3:${"a".repeat(64)}`, size: 1 };
      const manifests = [unknown, below, own.image.descriptor];
      const bytes = encode({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests });
      own.roots.set("latest", { mediaType: MEDIA_TYPE.index, bytes });
    },
  });
  expect(error).toBeNull();
  expect(registry.count("manifests/")).toBe(4);
});

test("all of an index is kept if all of it can be verified", async () => {
  const prepare = (own: FakeRegistry) => {
    const manifests = [own.image.descriptor, { ...own.image.descriptor, digest: `blake3:${"a".repeat(64)}` }];
    own.roots.set("latest", {
      mediaType: MEDIA_TYPE.index,
      bytes: encode({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests }),
    });
  };
  expect((await pull(() => false, { prepare })).error).toBeNull();
  expect((await pull(() => false, { prepare, all: true })).error).toContain("cannot be verified");
});
