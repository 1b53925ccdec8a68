/** Names and what goes with them. */
import { readdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { historyOf, inspectImage, listImages } from "../../../src/image/operations/list.ts";
import {
  NotRemovedError,
  pruneStore,
  removeImages,
  tagImage,
  untagImages,
} from "../../../src/image/operations/remove.ts";
import { blobPath } from "../../../src/image/store/blobs.ts";
import { listEntries } from "../../../src/image/store/images.ts";
import { Lease } from "../../../src/image/store/lease.ts";
import type { Store } from "../../../src/image/store/store.ts";
import { Scratch, sampleImage, storeImage } from "../support.ts";

const [first, second] = [sampleImage(["shared", "one"]), sampleImage(["shared", "two"])];
const names = (store: Store) => listEntries(store).map(({ name }) => name);
const contents = (store: Store) => readdirSync(`${store.paths.blobs}/sha256`).length;

test("of two names one is taken away, and the image goes with the last", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  await storeImage(store, "docker.io/library/a:1", first);
  await storeImage(store, "docker.io/library/b:1", second);
  await tagImage(store, "a:1", "a:2");
  expect(await removeImages(store, ["a:1"])).toEqual({ untagged: ["docker.io/library/a:1"], deleted: [], garbage: [] });
  expect(contents(store)).toBe(7);
  const { deleted } = await removeImages(store, ["a:2"]);
  expect(deleted).toEqual([first.descriptor.digest]);
  // The shared layer lives on.
  expect(contents(store)).toBe(4);
  expect(names(store)).toEqual(["docker.io/library/b:1"]);
});

test("by its id an image of several names is removed only by force", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  await storeImage(store, "docker.io/library/a:1", first);
  await tagImage(store, "a:1", "a:2");
  const id = first.manifest.config.digest.slice(7, 19);
  await expect(removeImages(store, [id])).rejects.toThrow("the image has several names: a:1, a:2");
  expect((await removeImages(store, [id], { force: true })).untagged).toHaveLength(2);
  expect(contents(store)).toBe(0);
  await expect(removeImages(store, ["a:1"])).rejects.toThrow("no such image: a:1");
  expect((await removeImages(store, ["a:1"], { force: true })).deleted).toEqual([]);
});

test("the beginning of two ids is told", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  // Images until two ids begin alike.
  const seen = new Map<string, number>();
  for (let at = 0; ; at++) {
    const image = sampleImage([`${at}`]);
    const start = image.manifest.config.digest.slice(7, 11);
    const before = seen.get(start);
    if (before === undefined) {
      seen.set(start, at);
      continue;
    }
    await storeImage(store, "localhost/x:1", image);
    await storeImage(store, "localhost/x:2", sampleImage([`${before}`]));
    await expect(removeImages(store, [start])).rejects.toThrow("is the beginning of the ids of 2 images");
    return;
  }
});

test("prune removes images without a name, and never one with", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  await storeImage(store, "docker.io/library/a:1", first);
  await storeImage(store, "docker.io/library/b:1", second);
  await untagImages(store, ["b:1"]);
  expect(names(store)).toEqual(["docker.io/library/a:1", null]);
  const planned = await pruneStore(store, { dryRun: true });
  expect(planned.deleted).toEqual([second.descriptor.digest]);
  expect(contents(store)).toBe(7);
  expect(await pruneStore(store)).toEqual(planned);
  expect(names(store)).toEqual(["docker.io/library/a:1"]);
  expect(contents(store)).toBe(4);
  await expect(untagImages(store, ["b:1"])).rejects.toThrow("no image is called b:1");
});

test("what somebody is using outlives its image", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  await storeImage(store, "docker.io/library/a:1", first);
  {
    using lease = await Lease.take(store);
    await lease.protect(first.manifest.layers.map(({ digest }) => digest));
    await removeImages(store, ["a:1"]);
    await pruneStore(store);
    expect(contents(store)).toBe(2);
  }
  await pruneStore(store);
  expect(contents(store)).toBe(0);
});

test("a damaged image can be removed, and keeps nothing else from being listed", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  await storeImage(store, "docker.io/library/a:1", first);
  await storeImage(store, "docker.io/library/b:1", second);
  writeFileSync(blobPath(store, first.descriptor.digest), "{}");
  const [damaged, sound] = await listImages(store);
  expect(damaged?.problem).toContain("damaged");
  expect(sound?.problem).toBeNull();
  await expect(pruneStore(store)).rejects.toThrow("docker.io/library/a:1: what belongs to it is not known");
  await removeImages(store, ["a:1"]);
  await pruneStore(store);
  expect(contents(store)).toBe(4);
});

test("inspect tells who else has a layer, and history which step made it", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  await storeImage(
    store,
    "docker.io/library/a:1",
    sampleImage(["shared", "one"], {
      history: [{ created_by: "ADD shared" }, { created_by: "ENV x", empty_layer: true }, { created_by: "RUN one" }],
    }),
  );
  await storeImage(store, "docker.io/library/b:1", second);
  const inspected = await inspectImage(store, "a:1");
  expect(inspected.layers.map(({ sharedWith }) => sharedWith)).toEqual([["docker.io/library/b:1"], []]);
  expect(historyOf(inspected).map(({ createdBy, layer }) => [createdBy, layer])).toEqual([
    ["RUN one", inspected.layers[1]?.digest],
    ["ENV x", null],
    ["ADD shared", inspected.layers[0]?.digest],
  ]);
});

test("of several, all that can be removed are, and the others told in one line", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  for (const name of ["a:1", "a:2", "b:1"])
    await storeImage(store, `docker.io/library/${name}`, name === "b:1" ? second : first);
  const failure = await removeImages(store, ["nothing", "a:1", "no/such:2", "b:1"]).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(NotRemovedError);
  const { message, removed } = failure as NotRemovedError;
  expect(message).toMatch(/^no such image: nothing .*; no such image: no\/such:2 /);
  expect(message).not.toContain("\n");
  expect(removed.untagged).toEqual(["docker.io/library/a:1", "docker.io/library/b:1"]);
  expect(removed.deleted).toEqual([second.descriptor.digest]);
  expect(names(store)).toEqual(["docker.io/library/a:2"]);
  expect(await removeImages(store, ["nothing", "a:2"], { force: true })).toMatchObject({
    untagged: ["docker.io/library/a:2"],
    deleted: [first.descriptor.digest],
  });
  expect(contents(store)).toBe(0);
});

test("an image that is named twice is gone once", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  await storeImage(store, "docker.io/library/a:1", first);
  await expect(removeImages(store, ["a:1", "a:1"])).rejects.toThrow(/^no such image: a:1 /);
  expect(contents(store)).toBe(0);
});
