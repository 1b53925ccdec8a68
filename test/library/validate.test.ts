/** The library's `validate`: what the executable would say, without it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { parseExactly, writeExactly } from "../../src/library/exact-json.ts";
import { validate } from "../../src/library/validate.ts";

const minimal = { ociVersion: "1.2.0", process: { cwd: "/", args: ["a"] }, root: { path: "rootfs" } };

describe("validate", () => {
  test("gives the configuration, with defaults, and changes nothing", () => {
    const document = {
      ...minimal,
      process: { ...minimal.process, user: {} },
      hostname: null,
      linux: { namespaces: [{ type: "mount" }] },
    };
    const before = structuredClone(document);
    const found = validate(document);
    expect(found).toMatchObject({ valid: true, spec: { process: { user: { uid: 0, gid: 0 } } } });
    expect(found.valid && "hostname" in found.spec).toBe(false);
    expect(document).toEqual(before);
  });

  test.each([
    [{ ...minimal, ociVersion: 1 }, "/ociVersion", 1, "must be a string"],
    [{ ...minimal, process: { cwd: "x", args: ["a"] } }, "/process/cwd", "x", "must be an absolute path"],
    [
      { ...minimal, mounts: [{ destination: "/a" }, { source: "b" }] },
      "/mounts/1",
      undefined,
      '"destination" is missing',
    ],
    ["{", "", undefined, "is not JSON: line 1, column 2: expected a name in double quotes, found the end"],
    ["[".repeat(2000), "", undefined, expect.stringMatching(/^is not readable: line 1, column/)],
    [undefined, "", undefined, "is not a JSON document, but undefined"],
    [null, "", null, "must be an object"],
  ])("says where a document is wrong (%#)", (document, pointer, value, rule) => {
    const found = validate(document);
    expect(found).toMatchObject({ valid: false, errors: [{ pointer, value, rule }] });
    expect(found.valid || found.errors[0].message).toMatch(/^config\.json: /);
  });

  test("refuses what holds itself", () => {
    const document: Record<string, unknown> = { ...minimal };
    document.self = document;
    expect(validate(document)).toMatchObject({
      valid: false,
      errors: [{ rule: expect.stringMatching(/circular|cyclic/i) }],
    });
  });

  test("asks more of what a container is to be made of, and of an ordinary user", () => {
    expect(validate({ ...minimal, process: undefined }).valid).toBe(true);
    expect(validate({ ...minimal, process: undefined }, { forCreate: true }).valid).toBe(false);
    const mounting = { ...minimal, linux: { namespaces: [{ type: "mount" }] } };
    expect(validate(mounting, { uid: 0, forCreate: true })).toMatchObject({ valid: true });
    expect(validate(mounting, { uid: 1000, forCreate: true })).toMatchObject({
      ...{ valid: false, errors: [{ pointer: "/linux/namespaces" }] },
    });
    expect(validate(mounting, { uid: 1000 })).toMatchObject({
      warnings: [expect.stringMatching(/requires user namespaces/)],
    });
  });

  test("keeps all 64 bits, of a text and of a bigint", () => {
    const limit = 18446744073709551615n;
    const rlimits = [{ type: "RLIMIT_CORE", soft: limit, hard: limit }];
    const document = { ...minimal, process: { ...minimal.process, rlimits } };
    for (const one of [document, writeExactly(document)]) {
      expect(validate(one)).toMatchObject({ valid: true, spec: { process: { rlimits } } });
    }
    const larger = JSON.stringify({ ...minimal, process: { ...minimal.process, rlimits: "?" } }).replace(
      '"?"',
      '[{"type":"RLIMIT_CORE","soft":18446744073709551616,"hard":0}]',
    );
    expect(validate(larger)).toMatchObject({ valid: false, errors: [{ pointer: "/process/rlimits/0/soft" }] });
  });
});

const bundles = "../shared/bundles";
const files = existsSync(bundles)
  ? readdirSync(bundles, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".json"))
  : [];

test.skipIf(files.length === 0)(
  `agrees with the executable's own loader (${files.length > 0 ? "" : `needs ${bundles}`})`,
  () => {
    for (const name of files) {
      const path = join(bundles, name);
      const expected = (() => {
        try {
          return loadConfig(path, { euid: 0, forCreate: false });
        } catch (error) {
          return (error as Error).message.replace(/^[^:]*: /, "");
        }
      })();
      const found = validate(readFileSync(path, "utf8"), { uid: 0 });
      expect(found.valid ? found.spec : found.errors[0].message.replace(/^[^:]*: /, ""), name).toEqual(expected);
    }
  },
);

describe("exact JSON", () => {
  test.each(["9007199254740993", "-9223372036854775808", "18446744073709551615"])("%s comes through", (digits) => {
    expect(parseExactly(`{"a":[${digits}]}`)).toEqual({ a: [BigInt(digits)] });
    expect(writeExactly(parseExactly(`{"a":[${digits}]}`))).toBe(`{"a":[${digits}]}`);
  });

  test("leaves alone what is in strings, small, or no integer", () => {
    const text =
      '{"18446744073709551615":"18446744073709551615","b":1.8446744073709551615,"c":1e30,"d":"\\"18446744073709551615"}';
    expect(parseExactly(text)).toEqual(JSON.parse(text));
  });
});
