/** Stores that have lost something: what still goes, what is told, and the way out. */
import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { importImage } from "../../../src/image/operations/import.ts";
import { listImages } from "../../../src/image/operations/list.ts";
import { loadImages } from "../../../src/image/operations/load.ts";
import { saveImages } from "../../../src/image/operations/save.ts";
import { verifyStore } from "../../../src/image/operations/verify.ts";
import { quiet } from "../../../src/image/progress/reporter.ts";
import { blobPath } from "../../../src/image/store/blobs.ts";
import { collectLocked } from "../../../src/image/store/collect.ts";
import type { Digest } from "../../../src/image/store/digest.ts";
import { lockStore, type Store } from "../../../src/image/store/store.ts";
import { Scratch, sampleImage, storeImage } from "../support.ts";

const CONTENT = Array.from({ length: 80_000 }, (_, at) => (at * 7919) % 10_007).join("");
const image = sampleImage(["small", CONTENT]);
const [small, large] = image.manifest.layers.map(({ digest }) => digest) as [Digest, Digest];

/** Another byte, of the same number of them. */
function damage(store: Store, digest: Digest): void {
  const bytes = readFileSync(blobPath(store, digest));
  bytes[20] = (bytes[20] ?? 0) ^ 0xff;
  writeFileSync(blobPath(store, digest), bytes);
}

describe.each(["oci-archive", "oci-dir"] as const)("an image saved as %s", (format) => {
  test.each([
    ["a small layer", small],
    ["a large layer", large],
    ["the config", image.manifest.config.digest],
    ["the manifest", image.descriptor.digest],
  ])("mends a store where %s is damaged, when it is loaded", async (_, digest) => {
    using scratch = new Scratch();
    const store = scratch.store();
    await storeImage(store, "docker.io/library/a:1", image);
    await saveImages(store, ["a:1"], { format, output: scratch.at("saved") }, quiet);
    damage(store, digest);
    expect((await verifyStore(store, quiet)).problems).not.toEqual([]);
    await loadImages(store, scratch.at("saved"), {}, quiet);
    expect((await verifyStore(store, quiet)).problems).toEqual([]);
  });

  test.each([
    ["missing", (path: string) => rmSync(path)],
    ["cut short", (path: string) => truncateSync(path, 5)],
  ])("is not written when a layer is %s", async (_, act) => {
    using scratch = new Scratch();
    const store = scratch.store();
    await storeImage(store, "docker.io/library/a:1", image);
    act(blobPath(store, large));
    await expect(saveImages(store, ["a:1"], { format, output: scratch.at("saved") }, quiet)).rejects.toThrow(
      /pull or load the image again/,
    );
    expect(existsSync(scratch.at("saved"))).toBe(false);
  });

  test("is not written when a layer is another", async () => {
    using scratch = new Scratch();
    const store = scratch.store();
    await storeImage(store, "docker.io/library/a:1", image);
    damage(store, large);
    await expect(saveImages(store, ["a:1"], { format, output: scratch.at("saved") }, quiet)).rejects.toThrow(
      /damaged: its digest is/,
    );
    expect(existsSync(scratch.at("saved"))).toBe(false);
  });
});

test.each([
  ["is missing", (path: string) => rmSync(path)],
  ["is cut short", (path: string) => truncateSync(path, 10)],
])("a list of images that %s is told with what helps, and that helps", async (_, act) => {
  using scratch = new Scratch();
  const store = scratch.store();
  await storeImage(store, "docker.io/library/a:1", image);
  await saveImages(store, ["a:1"], { format: "oci-archive", output: scratch.at("saved") }, quiet);
  act(store.paths.index);
  const told = await listImages(store).catch((error: Error) => error.message);
  expect(told).toMatch(/index\.json.*\(this is the store's list of images: write (\S+) to it/);
  writeFileSync(store.paths.index, /write (\S+) to it/.exec(told as string)?.[1] ?? "");
  await loadImages(store, scratch.at("saved"), {}, quiet);
  expect((await listImages(store)).map(({ name }) => name)).toEqual(["docker.io/library/a:1"]);
});

test("directories that a copy of a store has lost are made again", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  for (const path of [store.paths.blobs, store.paths.ingest, store.paths.leases, store.paths.snapshots])
    rmSync(path, { recursive: true });
  expect((await verifyStore(store, quiet)).problems).toEqual([]);
  {
    using _ = await lockStore(store, "exclusive");
    expect(collectLocked(store, { partials: true })).toEqual([]);
  }
  for (const path of [store.paths.blobs, store.paths.leases]) rmSync(path, { recursive: true });
  writeFileSync(scratch.at("empty.tar"), new Uint8Array(10240));
  await importImage(store, scratch.at("empty.tar"), { changes: [], name: "a:1" }, quiet);
  expect((await verifyStore(store, quiet)).problems).toEqual([]);
});
