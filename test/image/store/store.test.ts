/** Contents, leases, names and collection. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { blobPath, hasBlob, openBlob, readBlob } from "../../../src/image/store/blobs.ts";
import { collectLocked } from "../../../src/image/store/collect.ts";
import { digestOf } from "../../../src/image/store/digest.ts";
import { listEntries, putImage } from "../../../src/image/store/images.ts";
import { ingest, ingestNew } from "../../../src/image/store/ingest.ts";
import { Lease } from "../../../src/image/store/lease.ts";
import { resolveImage } from "../../../src/image/store/resolve.ts";
import { lockStore, openStore, type Store } from "../../../src/image/store/store.ts";
import { Scratch, sampleImage, storeImage } from "../support.ts";

const BYTES = new TextEncoder().encode("some content that comes in parts");
const IDENTITY = { digest: digestOf(BYTES), size: BYTES.byteLength };

async function* parts(bytes: Uint8Array, offset = 0): AsyncGenerator<Uint8Array> {
  for (let at = offset; at < bytes.byteLength; at += 5) yield bytes.subarray(at, at + 5);
}

test("content is there when all of it is, and read again as it was", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  using lease = await Lease.take(store);
  expect(await ingest(lease, IDENTITY, (offset) => parts(BYTES, offset))).toBe("written");
  expect(await ingest(lease, IDENTITY, () => expect.unreachable())).toBe("held");
  expect(Buffer.from(await readBlob(store, IDENTITY))).toEqual(Buffer.from(BYTES));
  expect(readdirSync(store.paths.ingest)).toEqual([]);
});

test("a store whose making was killed is made to the end; a directory with an index of somebody else's is none", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  const names = readdirSync(store.root).sort();
  rmSync(join(store.root, "oci-layout"));
  expect(openStore(store.root)).toEqual(store);
  expect(readdirSync(store.root).sort()).toEqual(names);
  rmSync(join(store.root, "oci-layout"));
  rmSync(store.paths.lock);
  expect(() => openStore(store.root)).toThrow("has an index.json and no oci-layout: this is no store of images");
});

test("a store that a symlink leads to has its own path: the runtime knows bundles by that", () => {
  using scratch = new Scratch();
  const store = scratch.store();
  symlinkSync(store.root, `${store.root}-link`);
  expect(openStore(`${store.root}-link`)).toEqual(store);
  rmSync(`${store.root}-link`);
});

test("a directory that has anything else in it does not become a store, and stays as it is", () => {
  using scratch = new Scratch();
  const directory = scratch.at("other");
  mkdirSync(directory, { mode: 0o755 });
  writeFileSync(join(directory, "something"), "x");
  expect(() => openStore(directory)).toThrow(`${directory}: is no store of images, and not empty: something is in it`);
  expect(readdirSync(directory)).toEqual(["something"]);
  expect(statSync(directory).mode & 0o777).toBe(0o755);
  // A new disk.
  rmSync(join(directory, "something"));
  mkdirSync(join(directory, "lost+found"));
  expect(() => openStore(directory)).not.toThrow();
});

test("a store that cannot be made is told with the option that names another place", () => {
  expect(() => openStore("/proc/none")).toThrow(
    "cannot make the store /proc/none (--store names another place): mkdir /proc/none: ENOENT",
  );
});

test("what was interrupted goes on where it ended", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  using lease = await Lease.take(store);
  async function* broken() {
    yield BYTES.subarray(0, 10);
    throw new Error("the line is cut");
  }
  await expect(ingest(lease, IDENTITY, broken)).rejects.toThrow("the line is cut");
  expect(hasBlob(store, IDENTITY)).toBe(false);
  const offsets: number[] = [];
  const source = (offset: number) => {
    offsets.push(offset);
    return parts(BYTES, offset);
  };
  expect(await ingest(lease, IDENTITY, source)).toBe("written");
  expect(offsets).toEqual([10]);
});

test("a wrong start is fetched again from the beginning, once", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  using lease = await Lease.take(store);
  writeFileSync(`${store.paths.ingest}/${IDENTITY.digest.replace(":", "-")}`, "WRONG");
  const offsets: number[] = [];
  const source = (offset: number) => {
    offsets.push(offset);
    return parts(BYTES, offset);
  };
  expect(await ingest(lease, IDENTITY, source)).toBe("written");
  expect(offsets).toEqual([5, 0]);
});

test.each([
  ["another digest", BYTES.map((byte) => byte ^ 1), "has another digest"],
  ["more bytes", Uint8Array.of(...BYTES, 1), `more bytes than the ${BYTES.byteLength}`],
])("%s than announced leaves nothing behind", async (_, sent, message) => {
  using scratch = new Scratch();
  const store = scratch.store();
  using lease = await Lease.take(store);
  await expect(ingest(lease, IDENTITY, (offset) => parts(sent, offset))).rejects.toThrow(message);
  expect(readdirSync(store.paths.ingest)).toEqual([]);
  expect(existsSync(blobPath(store, IDENTITY.digest))).toBe(false);
});

test("content cut short is told when it is opened, and content changed when it is read", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  using lease = await Lease.take(store);
  await ingest(lease, IDENTITY, (offset) => parts(BYTES, offset));
  writeFileSync(blobPath(store, IDENTITY.digest), BYTES.subarray(1));
  expect(() => openBlob(store, IDENTITY)).toThrow("damaged: has 31 bytes instead of 32");
  writeFileSync(blobPath(store, IDENTITY.digest), BYTES.toReversed());
  await expect(readBlob(store, IDENTITY)).rejects.toThrow("damaged: its digest is sha256:");
});

test("a name that moves on leaves the image that had it without one", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  const [old, next] = [sampleImage(["a"]), sampleImage(["b"])];
  await storeImage(store, "localhost/x:1", old);
  await storeImage(store, "localhost/x:1", next);
  expect(listEntries(store).map(({ name, descriptor }) => [name, descriptor.digest])).toEqual([
    [null, old.descriptor.digest],
    ["localhost/x:1", next.descriptor.digest],
  ]);
  await putImage(store, "localhost/old:1", old.descriptor);
  expect(listEntries(store).map(({ name }) => name)).toEqual(["localhost/x:1", "localhost/old:1"]);
});

test("a name given again to the image that has it writes nothing, and keeps its place", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  const [first, second] = [sampleImage(["a"]), sampleImage(["b"])];
  await storeImage(store, "localhost/x:1", first);
  await storeImage(store, "localhost/y:1", second);
  const inode = statSync(store.paths.index).ino;
  await putImage(store, "localhost/x:1", first.descriptor);
  expect(statSync(store.paths.index).ino).toBe(inode);
  expect(listEntries(store).map(({ name }) => name)).toEqual(["localhost/x:1", "localhost/y:1"]);
});

test("an image is found by its name, by the beginning of either digest, and by name and digest", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  const image = sampleImage(["a", "b"]);
  await storeImage(store, "docker.io/library/alpine:latest", image);
  const manifest = image.descriptor.digest;
  const config = image.manifest.config.digest;
  for (const reference of [
    "alpine",
    `alpine@${manifest}`,
    manifest,
    manifest.slice(7, 19),
    config.slice(7, 19),
    config,
  ]) {
    const found = await resolveImage(store, reference);
    expect(found.descriptor.digest, reference).toBe(manifest);
    expect(found.layers.map(({ diffId }) => diffId)).toEqual(image.config.rootfs.diff_ids);
    expect(found.layers.map(({ kind }) => kind.compression)).toEqual(["gzip", "gzip"]);
  }
  await expect(resolveImage(store, "busybox")).rejects.toThrow("no such image: busybox");
});

test("the number of layers and of diffIDs must be the same", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  const { config } = sampleImage(["a", "b"]);
  await storeImage(store, "localhost/x:1", sampleImage(["a"], { rootfs: config.rootfs }));
  await expect(resolveImage(store, "localhost/x:1")).rejects.toThrow("has 1 layers, and the config has diff_ids for 2");
});

test("collecting leaves what images have and what leases hold on to, and a lease ends with its process", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  await storeImage(store, "localhost/x:1", sampleImage(["shared", "a"]));
  const collect = async (one: Store) => {
    using _ = await lockStore(one, "exclusive");
    return collectLocked(one).map(({ name }) => name);
  };
  {
    using lease = await Lease.take(store);
    const { digest } = await ingestNew(lease, [BYTES]);
    expect(digest).toBe(IDENTITY.digest);
    expect(await collect(store)).toEqual([]);
  }
  expect(await collect(store)).toEqual([IDENTITY.digest]);
  // Somebody's who was killed.
  writeFileSync(`${store.paths.leases}/left`, `${IDENTITY.digest}\n`);
  {
    using lease = await Lease.take(store);
    await ingestNew(lease, [BYTES]);
  }
  expect(await collect(store)).toEqual([IDENTITY.digest]);
  expect(readdirSync(store.paths.leases)).toEqual([]);
});

test("a damaged manifest keeps everything from being collected", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  const image = sampleImage(["a"]);
  await storeImage(store, "localhost/x:1", image);
  const path = blobPath(store, image.descriptor.digest);
  writeFileSync(path, readFileSync(path, "utf8").replace("schemaVersion", "schemaVersioN"));
  using _ = await lockStore(store, "exclusive");
  expect(() => collectLocked(store)).toThrow("localhost/x:1: what belongs to it is not known");
});
