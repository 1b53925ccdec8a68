import { posix } from "node:path";
import { describe, expect, it } from "vitest";
import { basename, dirname, isAbsolute, join, normalize, relative, resolve } from "../../src/sys/path-names.ts";

const ours = { basename, dirname, isAbsolute, join, normalize, relative, resolve };

const paths = [
  ...[
    "",
    ".",
    "..",
    "/",
    "//",
    "a",
    "a/",
    "/a",
    "/a/",
    "//a//",
    "a/b",
    "/a/b",
    "/a/b/",
    "a//b",
    "./a",
    "../a",
    "a/..",
    "a/../..",
  ],
  ...[
    "/..",
    "/../a",
    "/a/./b/../c",
    "a/b/../../..",
    "../../a",
    "/a/b/../..",
    ".hidden",
    "/a/.b",
    "a/.",
    "./",
    "../",
    "a/../",
    " ",
    "a b/c",
  ],
];
const pairs = paths.flatMap((one) => paths.map((other) => [one, other] as const));

describe("names that are not UTF-8", () => {
  const name = "caf\udce9";

  it("keep their bytes", () => {
    expect(join(`/a/${name}`, "..", name, "b")).toBe(`/a/${name}/b`);
    expect(normalize(`/${name}//./b/`)).toBe(`/${name}/b/`);
    expect(resolve("/", name)).toBe(`/${name}`);
    expect(dirname(`/${name}/b`)).toBe(`/${name}`);
    expect(basename(`/a/${name}`)).toBe(name);
    expect(relative("/a", `/${name}`)).toBe(`../${name}`);
  });

  // Should the engine learn to, these are no longer needed.
  it("would lose them in node:path", () => {
    expect(posix.join("/a", name)).toBe("/a/caf\ufffd");
  });
});

describe("as node:path has it", () => {
  it.each(["normalize", "dirname", "basename", "isAbsolute", "resolve", "join"] as const)("%s", (name) => {
    for (const path of paths) {
      if (name === "dirname" && path.includes("//")) continue; // of two slashes, which mean one, Node keeps one
      expect([path, ours[name](path)]).toEqual([path, posix[name](path)]);
    }
  });

  it.each(["join", "resolve"] as const)("%s of two", (name) => {
    for (const pair of pairs) expect([...pair, ours[name](...pair)]).toEqual([...pair, posix[name](...pair)]);
  });

  it("relative, of absolute paths", () => {
    const absolute = pairs.filter((pair) => pair.every(posix.isAbsolute));
    for (const pair of absolute) expect([...pair, ours.relative(...pair)]).toEqual([...pair, posix.relative(...pair)]);
  });
});
