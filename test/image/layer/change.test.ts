import { describe, expect, test } from "vitest";
import { changeOf } from "../../../src/image/layer/change.ts";
import type { EntryType, TarEntry } from "../../../src/image/layer/tar-reader.ts";
import type { ByteName } from "../../../src/sys/byte-name.ts";

function entry(name: string, type: EntryType = "file", linkName = ""): TarEntry {
  const sizes = { mode: 0, uid: 0, gid: 0, size: 0, mtime: 0n, major: 0, minor: 0 };
  return { name: name as ByteName, type, linkName: linkName as ByteName, ...sizes, xattrs: new Map(), sparse: null };
}

const plan = (...args: Parameters<typeof entry>) => {
  const { kind, path } = changeOf(entry(...args), 8);
  return `${kind} ${path}`;
};

describe("what an entry asks for", () => {
  test.each([
    ["a/b", "make a/b"],
    ["./a//b/.", "make a/b"],
    ["/etc/passwd", "make etc/passwd"],
    ["a/../b", "make b"],
    ["a/.wh.b", "whiteout a/b"],
    [".wh..a", "whiteout .a"],
    ["a/.wh..wh..opq", "opaque a"],
    [".wh..wh..opq", "opaque "],
    [".wh..wh.plnk/12.34", "lend .wh..wh.plnk/12.34"],
    [".wh..wh.plnk/", "skip .wh..wh.plnk"],
    [".wh..wh.plnk/1/2", "skip .wh..wh.plnk/1/2"],
    [".wh..wh.plnk/.wh.a", "skip .wh..wh.plnk/.wh.a"],
    ["a/.wh..wh.plnk/1", "skip a/.wh..wh.plnk/1"],
    [".wh..wh.orph/1", "skip .wh..wh.orph/1"],
    [".wh..wh.aufs", "skip .wh..wh.aufs"],
    ["a/.wh", "make a/.wh"],
  ])("%s: %s", (name, expected) => {
    expect(plan(name)).toBe(expected);
  });

  test("a directory without a name is the root directory", () => {
    expect(plan("", "directory")).toBe("make ");
  });

  test("a hard link's target is below the root directory, too", () => {
    expect(changeOf(entry("a", "hardLink", "/x/./y"), 8)).toMatchObject({ kind: "link", path: "a", target: "x/y" });
  });

  test.each<EntryType>(["symlink", "hardLink", "directory"])(
    "a %s among the files that AUFS links to is left out",
    (type) => {
      expect(plan(".wh..wh.plnk/1.2", type, "/etc")).toBe("skip .wh..wh.plnk/1.2");
    },
  );

  test.each<[string, EntryType, string, RegExp]>([
    ["", "file", "", /a file in the place of the root directory/],
    ["../a", "file", "", /leads out of the root directory/],
    ["a/../../b", "directory", "", /leads out of the root directory/],
    ["..", "directory", "", /leads out of the root directory/],
    ["a", "hardLink", "../../etc/passwd", /target that leads out/],
    ["a", "hardLink", "", /target that is empty/],
    ["a", "hardLink", ".wh.b", /which is a whiteout/],
    [".wh.", "file", "", /a whiteout of no name/],
    ["a/.wh.", "file", "", /a whiteout of no name/],
    ["a/.wh..", "file", "", /a whiteout of no name/],
    ["a/.wh...", "file", "", /a whiteout of no name/],
    [".wh.a/b", "file", "", /a directory whose name begins/],
    ["./", "symlink", "/etc", /in the place of the root directory/],
    ["/", "file", "", /in the place of the root directory/],
    ["a/b/c/d/e/f/g/h/i", "file", "", /9 components: more than 8/],
    ["x".repeat(256), "file", "", /a name of 256 bytes/],
    ["l", "symlink", "", /a symlink to nothing/],
    ["l", "symlink", "x".repeat(5000), /a path of 5000 bytes/],
  ])("%j as %s to %j is refused", (name, type, target, message) => {
    expect(() => changeOf(entry(name, type, target), 8)).toThrow(message);
  });
});
