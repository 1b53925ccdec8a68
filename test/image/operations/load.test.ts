/** Loading archives, as tools write them and as nobody should. */
import { randomBytes } from "node:crypto";
import { createWriteStream, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { gunzipSync, gzipSync, zstdCompressSync } from "node:zlib";
import { pack } from "tar-stream";
import { describe, expect, test } from "vitest";
import { importImage } from "../../../src/image/operations/import.ts";
import { loadImages } from "../../../src/image/operations/load.ts";
import type { LoadOptions } from "../../../src/image/operations/loading.ts";
import { saveImages } from "../../../src/image/operations/save.ts";
import { verifyStore } from "../../../src/image/operations/verify.ts";
import { quiet } from "../../../src/image/progress/reporter.ts";
import { type Digest, digestOf } from "../../../src/image/store/digest.ts";
import { listEntries } from "../../../src/image/store/images.ts";
import { MEDIA_TYPE } from "../../../src/image/store/media-types.ts";
import { resolveImage } from "../../../src/image/store/resolve.ts";
import { slowness } from "../../support/patience.ts";
import { gnuLong, paxRecord, tar, tarEntry } from "../../support/tar-writer.ts";
import { encode, type SampleImage, Scratch, sampleImage, storeImage } from "../support.ts";

type Members = [name: string, content: Uint8Array | string | { link: string }][];

const LARGE = Array.from({ length: 40_000 }, (_, at) => `${(at * 7919) % 10_007}`).join("");
const image = sampleImage(["small layer", LARGE]);

async function archive(path: string, members: Members): Promise<string> {
  const tar = pack();
  for (const [name, content] of members) {
    if (typeof content === "object" && "link" in content) tar.entry({ name, type: "symlink", linkname: content.link });
    else tar.entry({ name }, Buffer.from(content));
  }
  tar.finalize();
  await pipeline(tar as unknown as NodeJS.ReadableStream, createWriteStream(path));
  return path;
}

const hex = (digest: Digest) => digest.slice("sha256:".length);
const blobs = ({ blobs: all }: SampleImage): Members =>
  [...all].map(([digest, bytes]) => [`blobs/sha256/${hex(digest)}`, bytes]);
const layout: Members = [["oci-layout", '{"imageLayoutVersion":"1.0.0"}']];
const index = (...manifests: object[]): Members => [["index.json", encode({ schemaVersion: 2, manifests })]];
const named = (name: string, key = "org.opencontainers.image.ref.name") => ({
  ...image.descriptor,
  annotations: { [key]: name },
});

/** As `docker save` wrote it: plain layers. */
function dockerArchive(tags: string[] | null, change: (item: Record<string, unknown>) => void = () => {}): Members {
  const layers = image.manifest.layers.map(({ digest }) => gunzipSync(image.blobs.get(digest) as Uint8Array));
  const names = layers.map((_, at) => `${at}/layer.tar`);
  const config = image.blobs.get(image.manifest.config.digest) as Uint8Array;
  const item: Record<string, unknown> = {
    Config: `${hex(image.manifest.config.digest)}.json`,
    RepoTags: tags,
    Layers: names,
  };
  change(item);
  return [
    ...layers.map((layer, at): Members[number] => [names[at] as string, layer]),
    [`${hex(image.manifest.config.digest)}.json`, config],
    ["manifest.json", encode([item])],
  ];
}

async function load(members: Members, options: LoadOptions & { wrap?: (bytes: Uint8Array) => Uint8Array } = {}) {
  using scratch = new Scratch();
  const store = scratch.store();
  const path = await archive(scratch.at("some.tar"), members);
  if (options.wrap !== undefined) writeFileSync(path, options.wrap(readFileSync(path)));
  try {
    const loaded = await loadImages(store, path, options, quiet);
    expect((await verifyStore(store, quiet)).problems).toEqual([]);
    return { names: loaded.map(({ name }) => name), blobs: readdirSync(`${store.paths.blobs}/sha256`).length };
  } catch (error) {
    expect(listEntries(store)).toEqual([]);
    expect(readdirSync(`${store.paths.blobs}/sha256`)).toEqual([]);
    expect(readdirSync(store.paths.ingest)).toEqual([]);
    expect((error as Error).message).not.toContain("\n");
    throw error;
  }
}

const MANIFEST_CONFIG_LAYERS = 4;

test.each(["oci-archive", "oci-dir"] as const)(
  "an image named by sha512 is saved as %s, and loaded",
  async (format) => {
    using scratch = new Scratch();
    // Larger than what is read as a document.
    const large = sampleImage(["small", randomBytes(5 << 20).toString("base64")], {}, "sha512");
    const [store, other] = [scratch.store("one"), scratch.store("other")];
    await storeImage(store, "docker.io/library/a:1", large);
    await saveImages(store, ["a:1"], { format, output: scratch.at("saved") }, quiet);
    await loadImages(other, scratch.at("saved"), {}, quiet);
    expect((await resolveImage(other, "a:1")).manifest).toEqual(large.manifest);
    expect((await verifyStore(other, quiet)).problems).toEqual([]);
  },
);

test.each<[what: string, members: Members, names: (string | null)[]]>([
  ["a layout", [...layout, ...index(named("quay.io/a/b:1")), ...blobs(image)], ["quay.io/a/b:1"]],
  [
    "a layout in another order, with ./",
    [...blobs(image), ...index(named("a:1")), ...layout].map(([name, content]) => [`./${name}`, content]),
    ["docker.io/library/a:1"],
  ],
  [
    "several tags of an image",
    [...layout, ...index(named("a:1"), named("a:2")), ...blobs(image)],
    ["docker.io/library/a:1", "docker.io/library/a:2"],
  ],
  ["an entry without a name", [...layout, ...index(image.descriptor), ...blobs(image)], [null]],
  ["a tag alone", [...layout, ...index(named("v1")), ...blobs(image)], ["localhost/some:v1"]],
  [
    "containerd's name",
    [...layout, ...index(named("ghcr.io/x/y:1", "io.containerd.image.name")), ...blobs(image)],
    ["ghcr.io/x/y:1"],
  ],
  ["a name that is none", [...layout, ...index(named("A B/C:1")), ...blobs(image)], [null]],
  ["another image's digest as a name", [...layout, ...index(named(`a@${digestOf("x")}`)), ...blobs(image)], [null]],
  ["Docker's, old", dockerArchive(["a/b:1", "a/b:2"]), ["docker.io/a/b:1", "docker.io/a/b:2"]],
  ["Docker's, without tags", dockerArchive(null), [null]],
  [
    "both forms at once",
    [...layout, ...index(named("a:1")), ...blobs(image), ...dockerArchive(["a:1"])],
    ["docker.io/library/a:1"],
  ],
  [
    "layers by links",
    [
      ["real/layer.tar", gunzipSync(image.blobs.get(image.manifest.layers[0]?.digest as Digest) as Uint8Array)],
      ...dockerArchive(["a:1"]).filter(([name]) => name !== "0/layer.tar"),
      ["0/layer.tar", { link: "../real/layer.tar" }],
    ],
    ["docker.io/library/a:1"],
  ],
])("%s", async (_, members, names) => {
  const loaded = await load(members);
  expect(loaded.names).toEqual(names);
  expect(loaded.blobs).toBe(MANIFEST_CONFIG_LAYERS);
});

test("a whole archive may be compressed", async () => {
  const members: Members = [...layout, ...index(named("a:1")), ...blobs(image)];
  for (const wrap of [gzipSync, zstdCompressSync]) expect((await load(members, { wrap })).names).toHaveLength(1);
  await expect(
    load(members, { wrap: () => Buffer.from("\ufffd7zXZ\0\0\0\0".replace("\ufffd", "\xfd"), "latin1") }),
  ).rejects.toThrow("compressed by xz");
});

test("layers of Docker's archives may be compressed", async () => {
  const gzipped: Members = dockerArchive(["a:1"]).map(([name, content]) =>
    name.endsWith("layer.tar") ? [name, gzipSync(content as Uint8Array)] : [name, content],
  );
  expect((await load(gzipped)).names).toEqual(["docker.io/library/a:1"]);
});

test.each<[what: string, members: Members, message: string]>([
  ["no image", [["readme", "x"]], "has neither an index.json nor a manifest.json: it holds no images"],
  ["Docker before 1.10", [["repositories", "{}"]], "Docker before 1.10"],
  ["a missing config", dockerArchive(["a:1"]).filter(([name]) => !/^[0-9a-f]{64}\.json/.test(name)), "/0/Config"],
  [
    "a missing layer",
    dockerArchive(["a:1"]).filter(([name]) => name !== "1/layer.tar"),
    "/0/Layers/1: 1/layer.tar is not in the archive",
  ],
  [
    "a layer too many",
    dockerArchive(["a:1"], (item) => (item["Layers"] = ["0/layer.tar", "1/layer.tar", "1/layer.tar"])),
    "has 3 layers, and the config has diff_ids for 2",
  ],
  [
    "layers in another order",
    dockerArchive(["a:1"], (item) => (item["Layers"] = ["1/layer.tar", "0/layer.tar"])),
    "and the config says sha256:",
  ],
  ["a name in capitals", dockerArchive(["b:1", "a/B:1"]), "some.tar: manifest.json: /0/RepoTags/1: "],
  ["another image's digest", dockerArchive([`a@${digestOf("x")}`]), "a name to give has no digest"],
  [
    "a config from the host",
    dockerArchive(["a:1"], (item) => (item["Config"] = "../../../../etc/passwd")),
    "is not in the archive",
  ],
  ["a link to the host", [["manifest.json", { link: "/etc/passwd" }]], "holds no images"],
  [
    "links in a circle",
    [
      ["manifest.json", { link: "a" }],
      ["a", { link: "manifest.json" }],
    ],
    "is a link to a link",
  ],
  ["a missing blob", [...layout, ...index(named("a:1")), ...blobs(image).slice(1)], "is missing"],
  [
    "another blob",
    [...layout, ...index(named("a:1")), ...blobs(image).map(([name]): Members[number] => [name, "x"])],
    "bytes",
  ],
  [
    "a layout of the future",
    [["oci-layout", '{"imageLayoutVersion":"2.0.0"}'], ...index(named("a:1"))],
    "imageLayoutVersion",
  ],
  ["no layout", index(named("a:1")), "no oci-layout"],
  ["an index of nothing", [...layout, ...index()], "names no image"],
  [
    "an index that is a manifest",
    [...layout, ...index({ ...named("a:1"), mediaType: MEDIA_TYPE.index }), ...blobs(image)],
    "/mediaType",
  ],
  ["a manifest.json of 5 MiB", [["manifest.json", " ".repeat(5 << 20)]], "more than the 4194304"],
  ["a manifest.json that is none", [["manifest.json", '[{"Config":1}]']], "/0"],
])("%s is told in one line", async (_, members, message) => {
  await expect(load(members)).rejects.toThrow(message);
});

test.each([
  ["cut short", (bytes: Uint8Array) => bytes.subarray(0, 2000)],
  ["no archive", () => new TextEncoder().encode("hello ".repeat(200))],
  ["empty", () => new Uint8Array(0)],
  ["compressed and cut short", (bytes: Uint8Array) => gzipSync(bytes).subarray(0, 500)],
])("an archive that is %s is told in one line", async (_, wrap) => {
  await expect(load([...layout, ...index(named("a:1")), ...blobs(image)], { wrap })).rejects.toThrow("some.tar: ");
});

test("--name names the one image there is", async () => {
  expect((await load([...layout, ...index(named("v1")), ...blobs(image)], { name: "x:2" })).names).toEqual([
    "docker.io/library/x:2",
  ]);
  const other = sampleImage(["other"]);
  const two: Members = [...layout, ...index(image.descriptor, other.descriptor), ...blobs(image), ...blobs(other)];
  await expect(load(two, { name: "x:2" })).rejects.toThrow("has 2 images, and --name is for one");
  await expect(load(two.slice(0, 3), { name: `x@${digestOf("x")}` })).rejects.toThrow("a name to give has no digest");
});

test("a directory whose files are links to elsewhere is refused", async () => {
  using scratch = new Scratch();
  mkdirSync(scratch.at("dir"));
  symlinkSync("/etc/passwd", scratch.at("dir/index.json"));
  await expect(loadImages(scratch.store(), scratch.at("dir"), {}, quiet)).rejects.toThrow(/index\.json/);
});

test.each(["oci-archive", "docker-archive", "oci-dir"] as const)(
  "what is saved as %s is loaded as it was, with all tags",
  async (format) => {
    using scratch = new Scratch();
    const store = scratch.store();
    await storeImage(store, "docker.io/library/a:1", image);
    await storeImage(store, "docker.io/library/a:2", image);
    const output = scratch.at("saved");
    await saveImages(store, ["a:1", "a:2"], { format, output }, quiet);
    const other = scratch.store("other");
    const loaded = await loadImages(other, output, {}, quiet);
    expect(loaded.map(({ name }) => name)).toEqual(["docker.io/library/a:1", "docker.io/library/a:2"]);
    if (format !== "docker-archive") expect(loaded[0]?.digest).toBe(image.descriptor.digest);
    // Who may read it says the umask.
    const file = format === "oci-dir" ? `blobs/sha256/${hex(image.descriptor.digest)}` : "";
    expect(statSync(`${output}/${file}`.replace(/\/$/, "")).mode & 0o777).toBe(0o666 & ~process.umask());
    expect(readdirSync(scratch.path).toSorted()).toEqual(["other", "saved", "store"]);
  },
);

test("a save that fails leaves what was there", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  await storeImage(store, "docker.io/library/a:1", image);
  writeFileSync(scratch.at("saved"), "before");
  const [layer] = image.manifest.layers;
  writeFileSync(`${store.paths.blobs}/sha256/${hex(layer?.digest as Digest)}`, new Uint8Array(layer?.size ?? 0));
  await expect(
    saveImages(store, ["a:1"], { format: "oci-archive", output: scratch.at("saved") }, quiet),
  ).rejects.toThrow("damaged");
  expect(readFileSync(scratch.at("saved"), "utf8")).toBe("before");
  expect(readdirSync(scratch.path).toSorted()).toEqual(["saved", "store"]);
});

test("a whole archive that is a bomb is cut off, and nothing of it stays", {
  timeout: 120_000 * slowness,
}, async () => {
  const zeros: Members = [["zeros", new Uint8Array(300 << 20)]];
  await expect(load(zeros, { wrap: gzipSync })).rejects.toThrow(/unpacks to more than 200 times its \d+ bytes/);
  await expect(load(zeros, { wrap: zstdCompressSync })).rejects.toThrow(/--max-ratio/);
  const members: Members = [...layout, ...index(named("a:1")), ...blobs(image)];
  const limits = { bytes: 4096, ratio: 200 };
  await expect(load(members, { limits })).rejects.toThrow("some.tar: it unpacks to more than 4096 bytes (--max-bytes)");
});

test.each<[what: string, archive: Buffer, message: RegExp]>([
  [
    "an extended header of a gigabyte",
    tarEntry({ name: "x", type: "x", size: 2 ** 30 }),
    /an extended header of 1073741824/,
  ],
  ["a long name of a gigabyte", tarEntry({ name: "x", type: "L", size: 2 ** 30 }), /an extended header of/],
  ["a member of a negative size", tarEntry({ name: "x", size: -512 }), /a member of -512 bytes/],
  ["a size that is no number", tarEntry({ name: "x", pax: { size: "all" } }), /PAX size "all" is not a number/],
  ["a wrong checksum", tarEntry({ name: "x", badChecksum: true }), /no header at byte 0/],
])("%s is told in one line", async (_, bytes, message) => {
  await expect(load([], { wrap: () => Buffer.concat([bytes, Buffer.alloc(1024)]) })).rejects.toThrow(message);
});

test("names and sizes by extended headers, GNU's and POSIX's, and a global one are read", async () => {
  const all = [...layout, ...index(named("a:1")), ...blobs(image)] as [string, Uint8Array | string][];
  const wrap = () =>
    tar(
      tarEntry({ name: "pax_global_header", type: "g", content: paxRecord("path", "wrong") }),
      ...all.map(([name, content], at) => {
        const entry = { name: "short", content: Buffer.from(content) };
        return at % 2 === 0
          ? gnuLong("L", name, entry)
          : tarEntry({ ...entry, pax: { path: name, size: `${entry.content.length}` } });
      }),
    );
  expect((await load([], { wrap })).names).toEqual(["docker.io/library/a:1"]);
});

test("what is saved says in its index what it is for", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  const platform = { architecture: "arm", os: "linux", variant: "v7", "os.version": "1", "os.features": ["x"] };
  await storeImage(store, "docker.io/library/a:1", sampleImage(["x"], platform));
  await saveImages(store, ["a:1"], { format: "oci-dir", output: scratch.at("saved") }, quiet);
  expect(JSON.parse(readFileSync(scratch.at("saved/index.json"), "utf8")).manifests[0].platform).toEqual(platform);
});

test.each(["", "d/\\xff/"])("a directory whose layer would have a whiteout in %j is not imported", async (below) => {
  using scratch = new Scratch();
  const store = scratch.store();
  const directory = Buffer.concat([
    Buffer.from(`${scratch.path}/rootfs/`),
    Buffer.from(below.replace("\\xff", "\u00ff"), "latin1"),
  ]);
  mkdirSync(directory, { recursive: true });
  const importing = () => importImage(store, scratch.at("rootfs"), { changes: [] }, quiet);
  writeFileSync(Buffer.concat([directory, Buffer.from("a.wh.b")]), "");
  await importing();
  writeFileSync(Buffer.concat([directory, Buffer.from(".wh.b")]), "");
  await expect(importing()).rejects.toThrow(
    `${scratch.at("rootfs")}/${below}.wh.b: no layer can have a file whose name begins with .wh.`,
  );
});

describe("an import", () => {
  async function imported(bytes: Uint8Array, limits?: { bytes: number; ratio: number }): Promise<string[]> {
    using scratch = new Scratch();
    const store = scratch.store();
    writeFileSync(scratch.at("some.tar"), bytes);
    const options = { changes: [], ...(limits === undefined ? {} : { limits }) };
    try {
      await importImage(store, scratch.at("some.tar"), options, quiet);
      expect((await verifyStore(store, quiet)).problems).toEqual([]);
      return readdirSync(`${store.paths.blobs}/sha256`);
    } catch (error) {
      expect((error as Error).message).not.toContain("\n");
      expect(readdirSync(`${store.paths.blobs}/sha256`)).toEqual([]);
      expect(readdirSync(store.paths.ingest)).toEqual([]);
      throw error;
    }
  }

  test("takes archives that are plain, and compressed", async () => {
    const plain = tar({ name: "a", content: "a" });
    const all = await Promise.all([plain, gzipSync(plain), zstdCompressSync(plain)].map((bytes) => imported(bytes)));
    for (const contents of all) expect(contents).toHaveLength(3);
  });

  test.each<[what: string, bytes: Uint8Array, message: RegExp, limits?: { bytes: number; ratio: number }]>([
    ["a bomb", gzipSync(new Uint8Array(300 << 20)), /some\.tar: it unpacks to more than 200 times/],
    ["too many bytes", new Uint8Array(5000), /more than 4096 bytes \(--max-bytes\)/, { bytes: 4096, ratio: 200 }],
    ["a text", Buffer.from("text ".repeat(200)), /some\.tar: is no tar archive/],
    ["few bytes", Buffer.from("x"), /is no tar archive: it has 1 bytes/],
    ["nothing", Buffer.alloc(0), /some\.tar: is empty/],
    ["xz", Buffer.from("fd377a585a0000000000", "hex"), /compressed by xz, .*xz -dc FILE \| tsrunc image import -/],
    ["half a gzip", gzipSync(tar({ name: "a", content: "x".repeat(9000) })).subarray(0, 60), /cannot be decompressed/],
  ])("of %s is told in one line, and nothing of it stays", async (_, bytes, message, limits) => {
    await expect(imported(bytes, limits)).rejects.toThrow(message);
  });
});
