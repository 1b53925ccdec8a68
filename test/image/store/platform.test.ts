/** Which image of an index runs where. */
import { expect, test } from "vitest";
import { digestOf } from "../../../src/image/store/digest.ts";
import type { Descriptor, Platform } from "../../../src/image/store/documents.ts";
import { MEDIA_TYPE } from "../../../src/image/store/media-types.ts";
import { choosePlatform, formatPlatform, parsePlatform } from "../../../src/image/store/platform.ts";

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
  const chosen = choosePlatform(offered.map(manifest), parsePlatform(wanted));
  expect(chosen?.platform ? formatPlatform(chosen.platform) : null).toBe(expected);
});

test("what says no platform is taken where nothing better is there", () => {
  expect(choosePlatform([manifest(null)], parsePlatform("amd64"))).toEqual(manifest(null));
  expect(choosePlatform([manifest(null), manifest("linux/amd64")], parsePlatform("amd64"))).toEqual(
    manifest("linux/amd64"),
  );
});

test("an attestation that names a platform is never chosen", () => {
  const attestation = {
    ...manifest("linux/amd64"),
    annotations: { "vnd.docker.reference.type": "attestation-manifest" },
  };
  expect(choosePlatform([attestation], parsePlatform("amd64"))).toBeNull();
});

test.each(["", "a/b/c/d", "linux//v7", "linux/../x"])("%j is no platform", (text) => {
  expect(() => parsePlatform(text)).toThrow("invalid platform");
});
