/** Indexes that name each other so often that who follows every name never comes to an end. */

import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { inspectImage, listImages } from "../../../src/image/operations/list.ts";
import { loadImages } from "../../../src/image/operations/load.ts";
import { pushImage } from "../../../src/image/operations/push.ts";
import { verifyStore } from "../../../src/image/operations/verify.ts";
import { quiet } from "../../../src/image/progress/reporter.ts";
import { type Digest, digestOf, splitDigest } from "../../../src/image/store/digest.ts";
import type { Descriptor } from "../../../src/image/store/documents.ts";
import { MEDIA_TYPE } from "../../../src/image/store/media-types.ts";
import { encode, Scratch, sampleImage, storeImage } from "../support.ts";

const DEPTH = 4;
const WIDTH = 300;

/** An OCI layout of 300⁴ names of one image. */
function writeLayout(directory: string): Descriptor {
  const image = sampleImage(["one"]);
  const contents = new Map<Digest, Uint8Array>(image.blobs);
  let below: Descriptor = { ...image.descriptor, platform: { os: "linux", architecture: image.config.architecture } };
  for (let depth = 0; depth < DEPTH; depth++) {
    const bytes = encode({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: Array(WIDTH).fill(below) });
    below = { mediaType: MEDIA_TYPE.index, digest: digestOf(bytes), size: bytes.byteLength };
    contents.set(below.digest, bytes);
  }
  mkdirSync(`${directory}/blobs/sha256`, { recursive: true });
  for (const [digest, bytes] of contents) writeFileSync(`${directory}/blobs/sha256/${splitDigest(digest).hex}`, bytes);
  writeFileSync(`${directory}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
  const named = { ...below, annotations: { "org.opencontainers.image.ref.name": "bomb:1" } };
  writeFileSync(`${directory}/index.json`, encode({ schemaVersion: 2, manifests: [named] }));
  return below;
}

test("are loaded, listed, verified and pushed as what they are: a few documents", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  const root = writeLayout(scratch.at("layout"));
  expect(await loadImages(store, scratch.at("layout"), { all: true }, quiet)).toEqual([
    { name: "docker.io/library/bomb:1", digest: root.digest },
  ]);
  const [listed] = await listImages(store);
  expect(listed?.problem).toBeNull();
  expect((await verifyStore(store, quiet)).problems).toEqual([]);
  await storeImage(store, "docker.io/library/other:1", sampleImage(["one"]));
  expect((await inspectImage(store, "other:1")).layers[0]?.sharedWith).toEqual(["docker.io/library/bomb:1"]);

  const manifests: string[] = [];
  const server = createServer((request, response) => {
    request.resume();
    if (request.url?.includes("/manifests/")) manifests.push(request.url);
    const status = request.method === "POST" ? 202 : request.method === "HEAD" ? 404 : 201;
    response.writeHead(status, { location: "/upload" }).end();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  try {
    const target = `127.0.0.1:${(server.address() as AddressInfo).port}/a/b:1`;
    await pushImage(store, "bomb:1", target, { plainHttp: true, authFile: scratch.authFile() }, quiet);
    expect(manifests).toHaveLength(DEPTH + 1);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
