/** The conformance vectors of runtime-spec: good documents pass, bad ones do not. */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isFeatures } from "../../src/config/generated/features.js";
import { isState } from "../../src/config/generated/state.js";
import { validateBundle } from "../../src/config/load.ts";
import { missing, shared } from "./support/shared.ts";

/** Vectors about platforms that this program does not run on: what they are about is an unknown property to it. */
const otherPlatform = /freebsd|zos|windows|solaris|vm-/;

function vectors(kind: string, quality: string): [string, string][] {
  if (missing !== null) return [];
  const directory = shared(`oci/runtime-spec/vectors/${kind}/${quality}`);
  return readdirSync(directory)
    .filter((file) => !otherPlatform.test(file))
    .map((file) => [file, join(directory, file)]);
}

/** Validates a vector as the config.json of a bundle. */
function validate(vector: string): string[] {
  const bundle = mkdtempSync(join(tmpdir(), "tsrunc-vector-"));
  try {
    mkdirSync(join(bundle, "rootfs"));
    copyFileSync(vector, join(bundle, "config.json"));
    return validateBundle(bundle).warnings;
  } finally {
    rmSync(bundle, { recursive: true });
  }
}

test.skipIf(missing !== null)(`there are vectors${missing === null ? "" : ` (${missing})`}`, () => {
  expect(vectors("config", "good").length).toBeGreaterThan(3);
  expect(vectors("config", "bad").length).toBeGreaterThan(2);
});

for (const [name, path] of vectors("config", "good")) {
  test(`config/good/${name} is valid`, () => {
    expect(() => validate(path)).not.toThrow();
  });
}

for (const [name, path] of vectors("config", "bad")) {
  test(`config/bad/${name} is not valid`, () => {
    expect(() => validate(path)).toThrow(/^config\.json: /);
  });
}

for (const [kind, validator] of [
  ["state", isState],
  ["features", isFeatures],
] as const) {
  const isValid = (path: string) => {
    try {
      return validator(JSON.parse(readFileSync(path, "utf8")));
    } catch {
      return false;
    }
  };
  for (const [name, path] of vectors(kind, "good")) {
    test(`${kind}/good/${name} is valid`, () => expect(isValid(path)).toBe(true));
  }
  for (const [name, path] of vectors(kind, "bad")) {
    test(`${kind}/bad/${name} is not valid`, () => expect(isValid(path)).toBe(false));
  }
}
