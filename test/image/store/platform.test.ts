/** Which image of an index runs where. */
import { expect, test } from "vitest";
import { candidatesFor } from "../../../src/image/store/choose.ts";
import { digestOf } from "../../../src/image/store/digest.ts";
import type { Descriptor, Platform } from "../../../src/image/store/documents.ts";
import { MEDIA_TYPE } from "../../../src/image/store/media-types.ts";
import { formatPlatform, levelOf, parsePlatform } from "../../../src/image/store/platform.ts";

function manifest(platform: string | null): Descriptor {
  const [os = "", architecture = "", variant] = (platform ?? "").split("/");
  const own: Platform = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  return {
    mediaType: MEDIA_TYPE.manifest,
    digest: digestOf(String(platform)),
    size: 1,
    ...(platform === null ? {} : { platform: own }),
  };
}

test.each<[wanted: string, offered: string[], chosen: string | null]>([
  ["linux/arm64/v8", ["linux/amd64", "linux/arm64"], "linux/arm64"],
  ["linux/arm64", ["linux/arm64/v8"], "linux/arm64/v8"],
  ["linux/arm64", ["linux/arm64/v9"], null],
  ["linux/arm/v7", ["linux/arm/v5", "linux/arm/v7", "linux/arm/v6"], "linux/arm/v7"],
  ["linux/arm/v6", ["linux/arm/v7", "linux/arm/v5"], "linux/arm/v5"],
  ["armv7", ["linux/arm/v7"], "linux/arm/v7"],
  ["aarch64", ["linux/arm64"], "linux/arm64"],
  ["x86_64", ["linux/amd64"], "linux/amd64"],
  ["linux/amd64", ["linux/amd64/v3", "linux/amd64"], "linux/amd64"],
  ["linux/amd64/v3", ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], "linux/amd64/v2"],
  ["linux/amd64", ["unknown/unknown", "windows/amd64"], null],
  ["linux/amd64", ["unknown/unknown", "linux/amd64"], "linux/amd64"],
  ["linux/riscv64", ["linux/riscv64", "linux/riscv64"], "linux/riscv64"],
])("for %s of %j: %s", (wanted, offered, expected) => {
  const chosen = candidatesFor(offered.map(manifest), parsePlatform(wanted))[0];
  expect(chosen?.platform ? formatPlatform(chosen.platform) : null).toBe(expected);
});

test("what says no platform is taken where nothing better is there", () => {
  expect(candidatesFor([manifest(null)], parsePlatform("amd64"))).toEqual([manifest(null)]);
  expect(candidatesFor([manifest(null), manifest("linux/amd64")], parsePlatform("amd64"))).toEqual([
    manifest("linux/amd64"),
    manifest(null),
  ]);
});

test("an attestation that names a platform is never chosen", () => {
  const attestation = {
    ...manifest("linux/amd64"),
    annotations: { "vnd.docker.reference.type": "attestation-manifest" },
  };
  expect(candidatesFor([attestation], parsePlatform("amd64"))).toEqual([]);
});

test("what is of an unknown type or digest, whatever it says of itself, is never chosen", () => {
  const own = manifest("linux/amd64");
  const strange: Descriptor[] = [
    { ...own, mediaType: "application/xml" },
    { ...own, digest: `blake3:${"a".repeat(64)}` as Descriptor["digest"] },
  ];
  expect(candidatesFor([...strange, own], parsePlatform("amd64"))).toEqual([own]);
});

test("what demands features of the system comes after what does not", () => {
  const own = manifest("linux/amd64");
  const demanding = { ...own, platform: { ...(own.platform as Platform), "os.features": ["erofs"] } };
  expect(candidatesFor([demanding, own], parsePlatform("amd64"))).toEqual([own, demanding]);
});

const V2 = "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3";
const V3 = `${V2} abm avx avx2 bmi1 bmi2 f16c fma movbe xsave`;

test.each([
  ["fpu sse2", 1],
  [V2, 2],
  [V2.replace("popcnt ", ""), 1],
  [V3, 3],
  [`${V3} avx512f`, 3],
  [`${V3} avx512bw avx512cd avx512dq avx512f avx512vl`, 4],
])("a processor with %s is of level %d", (flags, level) => {
  expect(levelOf(`processor\t: 0\nflags\t\t: fpu ${flags} x\nprocessor\t: 1\nflags\t\t: fpu\n`)).toBe(level);
});

test.each(["", "a/b/c/d", "linux//v7", "linux/../x"])("%j is no platform", (text) => {
  expect(() => parsePlatform(text)).toThrow("invalid platform");
});
