/** What image-spec allows beside images: what others know and this program does not, and documents in other words. */
import { mkdirSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { historyOf, inspectImage, listImages } from "../../../src/image/operations/list.ts";
import { loadImages } from "../../../src/image/operations/load.ts";
import type { LoadOptions } from "../../../src/image/operations/loading.ts";
import { pullImage } from "../../../src/image/operations/pull.ts";
import { saveImages } from "../../../src/image/operations/save.ts";
import { verifyStore } from "../../../src/image/operations/verify.ts";
import { quiet, type Reporter } from "../../../src/image/progress/reporter.ts";
import { type Digest, digestOf, splitDigest } from "../../../src/image/store/digest.ts";
import type { Descriptor, ImageConfig, Platform } from "../../../src/image/store/documents.ts";
import { MEDIA_TYPE } from "../../../src/image/store/media-types.ts";
import { resolveImage } from "../../../src/image/store/resolve.ts";
import { FakeRegistry } from "../registry/fake-registry.ts";
import { encode, Scratch, sampleImage, storeImage } from "../support.ts";

const EMPTY = "application/vnd.oci.empty.v1+json";
const amd64: Platform = { os: "linux", architecture: "amd64" };
const arm64: Platform = { os: "linux", architecture: "arm64" };

/** An OCI layout in the making. */
class Layout {
  readonly blobs = new Map<Digest, Uint8Array>();

  put(mediaType: string, bytes: Uint8Array, more: Partial<Descriptor> = {}): Descriptor {
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.byteLength, ...more };
  }

  image(content: string, platform: Platform, change: object = {}, ofManifest: object = {}): Descriptor {
    const sample = sampleImage([content], { ...platform, ...change } as Partial<ImageConfig>);
    for (const [digest, bytes] of sample.blobs) this.blobs.set(digest, bytes);
    return this.put(MEDIA_TYPE.manifest, encode({ ...sample.manifest, ...ofManifest }));
  }

  artifact(more: Partial<Descriptor> = {}): Descriptor {
    const empty = this.put(EMPTY, encode({}));
    const layers = [this.put("application/spdx+json", encode({ name: "a" }))];
    const own = { schemaVersion: 2, mediaType: MEDIA_TYPE.manifest, artifactType: "application/spdx" };
    return this.put(MEDIA_TYPE.manifest, encode({ ...own, config: empty, layers }), more);
  }

  /** As cosign makes it: a configuration like an image's, and layers that are none. */
  signature(): Descriptor {
    const layer = this.put("application/vnd.dev.cosign.simplesigning.v1+json", encode({ critical: {} }));
    const rootfs = { type: "layers", diff_ids: [layer.digest] };
    const config = this.put(MEDIA_TYPE.config, encode({ architecture: "", os: "", config: {}, rootfs }));
    return this.put(MEDIA_TYPE.manifest, encode({ schemaVersion: 2, config, layers: [layer] }));
  }

  index(...manifests: object[]): Descriptor {
    return this.put(MEDIA_TYPE.index, encode({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests }));
  }

  write(directory: string, ...entries: object[]): string {
    mkdirSync(directory);
    for (const [digest, bytes] of this.blobs) {
      const { algorithm, hex } = splitDigest(digest);
      mkdirSync(`${directory}/blobs/${algorithm}`, { recursive: true });
      writeFileSync(`${directory}/blobs/${algorithm}/${hex}`, bytes);
    }
    writeFileSync(`${directory}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
    writeFileSync(`${directory}/index.json`, encode({ schemaVersion: 2, manifests: entries }));
    return directory;
  }
}

const named = <T extends object>(descriptor: T, name = "a:1") => ({
  ...descriptor,
  annotations: { "org.opencontainers.image.ref.name": name },
});

function noting(notes: string[] = []): { notes: string[]; reporter: Reporter } {
  return { notes, reporter: { ...quiet, task: quiet.task, note: (line: string) => void notes.push(line) } };
}

/** Loads a layout of one entry; what comes of it is sound. */
async function load(fill: (layout: Layout) => object[], options: LoadOptions = { platform: amd64 }, said?: string[]) {
  using scratch = new Scratch();
  const store = scratch.store();
  const layout = new Layout();
  const entries = fill(layout);
  const { notes, reporter } = noting(said);
  const loaded = await loadImages(store, layout.write(scratch.at("layout"), ...entries), options, reporter);
  expect((await verifyStore(store, quiet)).problems).toEqual([]);
  expect((await listImages(store)).map(({ problem }) => problem)).toEqual(loaded.map(() => null));
  return { loaded, notes, layout, listed: await listImages(store) };
}

describe("what may be null is as if it were not there", () => {
  test.each<[what: string, change: object, ofManifest: object]>([
    ["in a configuration", { author: null, variant: null, created: null, "os.version": null, "os.features": null }, {}],
    ["a history", { history: null, config: null }, {}],
    [
      "in a history",
      { history: [{ created: null, created_by: null, author: null, comment: null, empty_layer: null }] },
      {},
    ],
    ["in what Docker has", { config: { Healthcheck: { Test: null, Interval: null, Retries: null } } }, {}],
    ["in a manifest", {}, { artifactType: null, subject: null, annotations: null, mediaType: null }],
  ])("%s", async (_, change, ofManifest) => {
    const { loaded } = await load((layout) => [named(layout.image("x", amd64, change, ofManifest))]);
    expect(loaded).toHaveLength(1);
  });

  test("and is not there for who inspects it", async () => {
    using scratch = new Scratch();
    const store = scratch.store();
    const history = [{ created_by: "x", comment: null, author: null } as never];
    await storeImage(store, "docker.io/library/a:1", sampleImage(["x"], { history, author: null }));
    const { author, history: steps } = await inspectImage(store, "a:1");
    expect([author, steps]).toEqual([null, [{ created_by: "x" }]]);
    expect(historyOf(await inspectImage(store, "a:1"))[0]).toMatchObject({ createdBy: "x", comment: "" });
  });

  test("in a platform", async () => {
    const platform = { ...amd64, variant: null, "os.version": null, "os.features": null };
    await load((layout) => [named(layout.index({ ...layout.image("x", amd64), platform }))]);
  });
});

describe("a subject", () => {
  test.each<[what: string, subject: unknown, message: string]>([
    ["that is no descriptor", "x", "/subject"],
    ["without a digest", { mediaType: MEDIA_TYPE.manifest, size: 1 }, "/subject"],
    [
      "whose digest is a path out of the store",
      { mediaType: MEDIA_TYPE.manifest, digest: "sha256:../../../../../../etc/hostname", size: 5 },
      "/subject/digest",
    ],
    ["whose digest is too short", { mediaType: MEDIA_TYPE.manifest, digest: "sha256:ab", size: 5 }, "/subject/digest"],
  ])("%s is refused", async (_, subject, message) => {
    await expect(load((layout) => [named(layout.image("x", amd64, {}, { subject }))])).rejects.toThrow(message);
    await expect(
      load((layout) => [
        named(
          layout.put(MEDIA_TYPE.index, encode({ schemaVersion: 2, manifests: [layout.image("x", amd64)], subject })),
        ),
      ]),
    ).rejects.toThrow(message);
  });

  test("that is not here, of any algorithm, is no fault", async () => {
    const digest = `blake3:${"a".repeat(64)}`;
    await load((layout) => [
      named(layout.image("x", amd64, {}, { subject: { mediaType: MEDIA_TYPE.manifest, digest, size: 5 } })),
    ]);
  });
});

describe("an index", () => {
  const foreignDigest = { mediaType: MEDIA_TYPE.manifest, digest: `blake3:${"a".repeat(64)}`, size: 5 };

  test.each<[what: string, fill: (layout: Layout) => object[]]>([
    ["a type that is unknown", (layout) => [layout.put("application/xml", encode("<x/>"), { platform: amd64 })]],
    ["a digest that cannot be verified", () => [{ ...foreignDigest, platform: amd64 }]],
    ["an index for another platform", (layout) => [layout.index({ ...layout.image("x", arm64), platform: arm64 })]],
    ["an index of images for another platform", (layout) => [layout.index(layout.image("x", arm64))]],
    ["an image for another platform, by its configuration", (layout) => [layout.image("x", arm64)]],
    ["an artifact", (layout) => [layout.artifact({ platform: amd64 })]],
    ["an artifact without a platform", (layout) => [layout.artifact()]],
    ["a signature", (layout) => [layout.signature()]],
  ])("with %s first has the image that comes then", async (_, fill) => {
    for (const platform of [{}, { platform: amd64 }]) {
      const { loaded, layout } = await load((own) => [
        named(own.index(...fill(own), { ...own.image("wanted", amd64), ...platform })),
      ]);
      expect(loaded[0]?.digest).toBe(new Layout().image("wanted", amd64).digest);
      expect(layout.blobs.size).toBeGreaterThan(0);
    }
  });

  test("without an image for the platform says what it has, at any depth", async () => {
    const nested = (layout: Layout) => [
      named(layout.index(layout.artifact(), layout.index({ ...layout.image("x", arm64), platform: arm64 }))),
    ];
    await expect(load(nested)).rejects.toThrow("a:1: has no image for linux/amd64: it has linux/arm64");
  });

  test("with an artifact in the place of the image says that, and not that it has what it has not", async () => {
    const listed = (layout: Layout) => [named(layout.index(layout.artifact({ platform: amd64 })))];
    await expect(load(listed)).rejects.toThrow(
      `a:1: what it has for linux/amd64 is no image but an artifact: its config is of type ${EMPTY}`,
    );
  });

  test("of images that do not say what they are for is told by their configurations", async () => {
    const nested = (layout: Layout) => [
      named(layout.index(layout.signature(), layout.image("x", arm64), layout.index(layout.image("y", arm64)))),
    ];
    await expect(load(nested)).rejects.toThrow(
      "a:1: has no image for linux/amd64: it has linux/arm64 (see --platform)",
    );
  });

  test("of more documents than anybody looks through is refused", async () => {
    const many = (layout: Layout) => [
      named(layout.index(...Array.from({ length: 70 }, (_, at) => layout.image(`${at}`, arm64)))),
    ];
    await expect(load(many)).rejects.toThrow("after 64 of its manifests none is for linux/amd64");
  });

  test("is kept as a whole without what the layout lacks", async () => {
    const { loaded, notes } = await load(
      (layout) => {
        const lost = { ...new Layout().image("lost", arm64), platform: arm64 };
        return [named(layout.index({ ...layout.image("x", amd64), platform: amd64 }, lost, foreignDigest))];
      },
      { all: true },
    );
    expect(loaded).toHaveLength(1);
    expect(notes.map((note) => /is loaded without that$/.test(note))).toEqual([true, true]);
  });
});

test("an image alone for another platform than the wanted one is told", async () => {
  const alone = (layout: Layout) => [named(layout.image("x", arm64))];
  await expect(load(alone)).rejects.toThrow("a:1: is for linux/arm64, not for linux/amd64");
  expect((await load(alone, {})).loaded).toHaveLength(1);
});

test("of images of one name the name is that of the one for the wanted platform", async () => {
  const both = (layout: Layout) => [
    named({ ...layout.image("one", amd64), platform: amd64 }),
    named({ ...layout.image("other", arm64), platform: arm64 }),
  ];
  for (const [at, platform] of [amd64, arm64].entries()) {
    const { loaded, layout } = await load(both, { platform });
    expect(loaded).toEqual([{ name: "docker.io/library/a:1", digest: both(layout)[at]?.digest }]);
  }
  const { loaded } = await load(both, { all: true, platform: amd64 });
  expect(loaded.map(({ name }) => name)).toEqual(["docker.io/library/a:1", null]);
  const none = { os: "linux", architecture: "s390x" };
  await expect(load(both, { platform: none })).rejects.toThrow(
    "has no image for linux/s390x: it has linux/amd64, linux/",
  );
});

test.each(["docker-archive", "dir"] as const)(
  "what is wanted for a platform has to be for it, in a %s",
  async (form) => {
    using scratch = new Scratch();
    const store = scratch.store();
    const sample = sampleImage(["x"], arm64);
    const source = scratch.at("source");
    if (form === "dir") {
      mkdirSync(source);
      for (const [digest, bytes] of sample.blobs) writeFileSync(`${source}/${splitDigest(digest).hex}`, bytes);
      writeFileSync(`${source}/manifest.json`, encode(sample.manifest));
    } else {
      await storeImage(store, "docker.io/library/a:1", sample);
      await saveImages(store, ["a:1"], { format: form, output: source }, quiet);
    }
    const other = scratch.store("other");
    await expect(loadImages(other, source, { platform: amd64 }, quiet)).rejects.toThrow(
      "is for linux/arm64, not for linux/amd64",
    );
    expect(await listImages(other)).toEqual([]);
    expect(await loadImages(other, source, { platform: arm64 }, quiet)).toHaveLength(1);
  },
);

test("an artifact in a directory of skopeo's is told, and kept by --all", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  const layout = new Layout();
  const { digest } = layout.artifact();
  mkdirSync(scratch.at("dir"));
  for (const [one, bytes] of layout.blobs) writeFileSync(scratch.at(`dir/${splitDigest(one).hex}`), bytes);
  writeFileSync(scratch.at("dir/manifest.json"), layout.blobs.get(digest) as Uint8Array);
  await expect(loadImages(store, scratch.at("dir"), {}, quiet)).rejects.toThrow("is no image but an artifact");
  expect(await loadImages(store, scratch.at("dir"), { all: true }, quiet)).toEqual([{ name: null, digest }]);
});

describe.each<["an artifact" | "a signature", type: string]>([
  ["an artifact", "application/spdx"],
  ["a signature", MEDIA_TYPE.config],
])("%s", (kind, type) => {
  const make = (layout: Layout) => (kind === "an artifact" ? layout.artifact() : layout.signature());

  test("beside an image is passed over, and alone is told", async () => {
    const { loaded, notes } = await load((layout) => [
      named(make(layout), "sig:1"),
      named(layout.image("x", amd64), "a:1"),
    ]);
    expect(loaded.map(({ name }) => name)).toEqual(["docker.io/library/a:1"]);
    expect(notes).toEqual([expect.stringMatching(/sig:1: is no image .*: passed over$/)]);
    const alone: string[] = [];
    await expect(load((layout) => [named(make(layout))], undefined, alone)).rejects.toThrow("a:1: is no image");
    // The error says it.
    expect(alone).toEqual([]);
  });

  test("is refused in the same words where it is loaded, pulled and run", async () => {
    using scratch = new Scratch();
    const layout = new Layout();
    const descriptor = make(layout);
    const manifest = JSON.parse(new TextDecoder().decode(layout.blobs.get(descriptor.digest)));
    const why =
      kind === "an artifact"
        ? `is no image but an artifact: its config is of type ${EMPTY}`
        : `is no image to run: layer 1 is of type ${manifest.layers[0].mediaType}`;
    const way = "(--all keeps it as it is)";
    const store = scratch.store();
    const source = layout.write(scratch.at("layout"), named(descriptor));
    await expect(loadImages(store, source, {}, quiet)).rejects.toThrow(
      new Error(`docker.io/library/a:1: ${why} ${way}`),
    );
    await using registry = await FakeRegistry.start({ ...sampleImage([]), descriptor, blobs: layout.blobs });
    const options = { plainHttp: true, authFile: scratch.authFile() };
    const name = `${registry.host}/a/b:latest`;
    await expect(pullImage(store, name, options, quiet)).rejects.toThrow(new Error(`${name}: ${why} ${way}`));
    await pullImage(store, name, { ...options, all: true }, quiet);
    await expect(resolveImage(store, name)).rejects.toThrow(new Error(`${name}: ${why}`));
  });

  test.each(["oci-archive", "oci-dir"] as const)("that is kept is listed, saved as %s, and loaded", async (format) => {
    using scratch = new Scratch();
    const [store, other] = [scratch.store("one"), scratch.store("other")];
    const layout = new Layout();
    const source = layout.write(scratch.at("layout"), named(make(layout)));
    await loadImages(store, source, { all: true }, quiet);
    await storeImage(store, "docker.io/library/b:1", sampleImage(["x"]));
    expect((await listImages(store)).map(({ problem, artifactType, id }) => [problem, artifactType, id])).toEqual([
      [null, type, null],
      [null, null, sampleImage(["x"]).manifest.config.digest],
    ]);
    await saveImages(store, ["a:1", "b:1"], { format, output: scratch.at("saved") }, quiet);
    const loaded = await loadImages(other, scratch.at("saved"), { all: true }, quiet);
    expect(loaded.map(({ name }) => name)).toEqual(["docker.io/library/a:1", "docker.io/library/b:1"]);
    expect((await verifyStore(other, quiet)).problems).toEqual([]);
  });
});

test("what a layout lacks and the store has is taken from there", async () => {
  using scratch = new Scratch();
  const store = scratch.store();
  const sample = sampleImage(["one", "two"]);
  await storeImage(store, "docker.io/library/old:1", sample);
  const layout = new Layout();
  const [layer] = sample.manifest.layers;
  for (const [digest, bytes] of sample.blobs) if (digest !== layer?.digest) layout.blobs.set(digest, bytes);
  const source = layout.write(scratch.at("layout"), named(sample.descriptor, "new:1"));
  await loadImages(store, source, {}, quiet);
  expect((await resolveImage(store, "new:1")).manifest).toEqual(sample.manifest);
  await expect(loadImages(scratch.store("empty"), source, {}, quiet)).rejects.toThrow("is missing");
});

test("digests of a manifest's own content have to be verifiable", async () => {
  const digest = `blake3:${"a".repeat(64)}`;
  await expect(
    load((layout) => {
      const config = { mediaType: MEDIA_TYPE.config, digest, size: 5 };
      return [named(layout.put(MEDIA_TYPE.manifest, encode({ schemaVersion: 2, config, layers: [] })))];
    }),
  ).rejects.toThrow(`/config/digest: the digest ${digest} cannot be verified: sha256 and sha512 are known`);
});
