/** Which of an index's images a build begins with. */
import { mkdirSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { buildImage } from "../../../src/image/build/build.ts";
import { QuietProgress } from "../../../src/image/build/progress.ts";
import { pullImage } from "../../../src/image/operations/pull.ts";
import { quiet } from "../../../src/image/progress/reporter.ts";
import { digestOf } from "../../../src/image/store/digest.ts";
import type { Platform } from "../../../src/image/store/documents.ts";
import { MEDIA_TYPE } from "../../../src/image/store/media-types.ts";
import { machinePlatform } from "../../../src/image/store/platform.ts";
import { type Image, resolveImage } from "../../../src/image/store/resolve.ts";
import { FakeRegistry } from "../registry/fake-registry.ts";
import { encode, type SampleImage, Scratch, sampleImage } from "../support.ts";

const LEVELS = [undefined, "v2", "v3", "v4", "v5"];
const platform = (variant: string | undefined): Platform => ({
  os: "linux",
  architecture: "amd64",
  ...(variant && { variant }),
});
/** Only the index tells the variants apart, as with most that are pushed. */
const images = LEVELS.map((variant) => sampleImage([`for ${variant ?? "all"}`], platform(undefined)));

/** An index of images for these levels of amd64. */
async function registryOf(levels: readonly (string | undefined)[]): Promise<FakeRegistry> {
  const blobs = new Map(images.flatMap((image) => [...image.blobs]));
  const registry = await FakeRegistry.start({ ...(images[0] as SampleImage), blobs });
  const manifests = levels.map((variant) => ({
    ...(images[LEVELS.indexOf(variant)] as SampleImage).descriptor,
    platform: platform(variant),
  }));
  const bytes = encode({ schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests });
  const root = { mediaType: MEDIA_TYPE.index, bytes };
  registry.roots.set("latest", root).set(digestOf(bytes), root);
  for (const { descriptor } of images) {
    const { mediaType, digest } = descriptor;
    registry.roots.set(digest, { mediaType, bytes: blobs.get(digest) as Uint8Array });
  }
  return registry;
}

/** What a build begins with, and what `image pull` takes: by the level that it is for. */
async function taken(
  levels: readonly (string | undefined)[],
  wanted: Platform | null,
): Promise<{ base: string; pulled: string }> {
  using scratch = new Scratch();
  await using registry = await registryOf(levels);
  const options = { plainHttp: true, authFile: scratch.authFile(), patience: { retries: 0, pause: 1, stall: 1000 } };
  const store = scratch.store();
  const name = `${registry.host}/a:latest`;
  mkdirSync(scratch.at("context"));
  writeFileSync(scratch.at("context/Dockerfile"), `FROM ${name}\nENV a=b\n`);
  await buildImage({
    ...{ store, context: scratch.at("context"), file: null, tags: ["built"], buildArgs: new Map(), target: null },
    ...{
      labels: new Map(),
      secrets: new Map(),
      ssh: new Map(),
      contexts: new Map(),
      platform: wanted,
      network: "none",
    },
    ...{ noCache: false, pull: false, squash: false, compression: "gzip", sourceDateEpoch: null, iidFile: null },
    ...{ output: null, registry: options, runtimeArgs: [], progress: new QuietProgress(), reporter: quiet },
    signal: new AbortController().signal,
  });
  const built = await resolveImage(store, "built", wanted === null ? {} : { platform: wanted });
  const other = scratch.store("other");
  const { name: pulled } = await pullImage(other, name, { ...options, ...(wanted && { platform: wanted }) }, quiet);
  const layerOf = async (image: Promise<Image>) => (await image).layers[0]?.descriptor.digest;
  expect(built.config.variant).toBe(wanted?.variant ?? LEVELS[levelOfLayer(built.layers[0]?.descriptor.digest)]);
  return {
    base: nameOf(levelOfLayer(built.layers[0]?.descriptor.digest)),
    pulled: nameOf(levelOfLayer(await layerOf(resolveImage(other, pulled)))),
  };
}

const levelOfLayer = (digest: string | undefined) =>
  images.findIndex(({ manifest }) => manifest.layers[0]?.digest === digest);
const nameOf = (level: number) => LEVELS[level] ?? "v1";

test.skipIf(process.arch !== "x64")("a base is the best for this machine, as what is pulled", async () => {
  const best = machinePlatform().variant ?? "v1";
  for (const levels of [LEVELS, LEVELS.toReversed()])
    expect(await taken(levels, null)).toEqual({ base: best, pulled: best });
  // Where there is none for just this machine, an older one's.
  expect(await taken([undefined, "v5"], null)).toEqual({ base: "v1", pulled: "v1" });
});

test("a base for a platform that somebody asks for is for no newer one", async () => {
  for (const variant of [undefined, "v2", "v3"]) {
    const expected = variant ?? "v1";
    expect(await taken(LEVELS, platform(variant))).toEqual({ base: expected, pulled: expected });
  }
});
