import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { filterKey, keepFilter, readFilter } from "../../src/seccomp/cache.ts";

const program = Uint8Array.from([6, 0, 0, 0, 0, 0, 0xff, 0x7f]);
const filter = { program, unknown: ["one", "tw\u00f6"] };
let root: string;
let directory: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "tsrunc-filters-"));
  directory = join(root, "seccomp:filters");
});
afterEach(() => rmSync(root, { recursive: true }));

describe("filters that are kept", () => {
  it("come back as they were", () => {
    keepFilter(root, "key", filter);
    expect(readFilter(root, "key")).toEqual({ ...filter, program: Buffer.from(program) });
    expect(readFilter(root, "other")).toBeNull();
    keepFilter(root, "known", { program, unknown: [] });
    expect(readFilter(root, "known")).toEqual({ program: Buffer.from(program), unknown: [] });
  });

  it("are not kept with more names than there is room for", () => {
    keepFilter(root, "key", { program, unknown: Array(9000).fill("x") });
    expect(readFilter(root, "key")).toBeNull();
  });

  it("are not taken when a byte has changed, or one is missing", () => {
    keepFilter(root, "key", filter);
    const file = join(directory, "key");
    const contents = readFileSync(file);
    writeFileSync(file, contents.subarray(0, -1));
    expect(readFilter(root, "key")).toBeNull();
    contents[contents.length - 1] = 0;
    writeFileSync(file, contents);
    expect(readFilter(root, "key")).toBeNull();
  });

  it("are not taken where others can write: the file, or its directory", () => {
    keepFilter(root, "key", filter);
    chmodSync(join(directory, "key"), 0o622);
    expect(readFilter(root, "key")).toBeNull();
    chmodSync(join(directory, "key"), 0o600);
    chmodSync(directory, 0o777);
    expect(readFilter(root, "key")).toBeNull();
  });

  it("are not taken through symlinks", () => {
    keepFilter(root, "key", filter);
    symlinkSync("key", join(directory, "link"));
    expect(readFilter(root, "link")).toBeNull();
    const other = join(root, "other");
    mkdirSync(other);
    symlinkSync(directory, join(other, "seccomp:filters"));
    expect(readFilter(other, "key")).toBeNull();
  });

  it("are at most 64", () => {
    for (let number = 0; number < 70; number++) keepFilter(root, `key${number}`, filter);
    expect(readdirSync(directory)).toHaveLength(64);
    expect(readFilter(root, "key69")).not.toBeNull();
  });

  it("leave nothing half written", () => {
    keepFilter(root, "key", filter);
    expect(readdirSync(directory)).toEqual(["key"]);
  });
});

describe("the key", () => {
  it("differs when any part does, also where only their border moves", () => {
    expect(filterKey(["ab", "c"])).not.toBe(filterKey(["a", "bc"]));
    expect(filterKey(["ab", "c"])).toBe(filterKey(["ab", "c"]));
  });
});
