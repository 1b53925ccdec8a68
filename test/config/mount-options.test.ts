import { describe, expect, test } from "vitest";
import { knownMountOptions, parseMountOptions, parsePropagation } from "../../src/config/mount-options.ts";

describe("the options of a mount", () => {
  test("without any, ask for nothing", () => {
    expect(parseMountOptions()).toEqual({
      flags: [],
      cleared: [],
      bind: null,
      remount: false,
      propagation: [],
      recursive: null,
      idmap: null,
      tmpcopyup: false,
      data: "",
    });
  });

  test.each([
    ["ro", "ro"],
    ["nosuid", "nosuid"],
    ["sync", "sync"],
    ["strictatime", "strictatime"],
    ["nosymfollow", "nosymfollow"],
    ["lazytime", "lazytime"],
  ])("%s sets the flag %s", (option, flag) => {
    expect(parseMountOptions([option])).toMatchObject({ flags: [flag], cleared: [], data: "" });
  });

  test.each([
    ["rw", "ro"],
    ["suid", "nosuid"],
    ["dev", "nodev"],
    ["exec", "noexec"],
    ["async", "sync"],
    ["atime", "noatime"],
    ["norelatime", "relatime"],
    ["symfollow", "nosymfollow"],
    ["loud", "silent"],
  ])("%s clears the flag %s", (option, flag) => {
    expect(parseMountOptions([option])).toMatchObject({ flags: [], cleared: [flag], data: "" });
  });

  test("of two that contradict each other the later one holds", () => {
    expect(parseMountOptions(["ro", "rw"])).toMatchObject({ flags: [], cleared: ["ro"] });
    expect(parseMountOptions(["rw", "ro"])).toMatchObject({ flags: ["ro"], cleared: [] });
  });

  test("rbind holds over bind, in either order", () => {
    expect(parseMountOptions(["bind", "rbind"]).bind).toBe("rbind");
    expect(parseMountOptions(["rbind", "bind"]).bind).toBe("rbind");
  });

  test("propagations are kept in order", () => {
    expect(parseMountOptions(["rslave", "shared"]).propagation).toEqual([
      { type: "slave", recursive: true },
      { type: "shared", recursive: false },
    ]);
  });

  test("r… attributes are for the whole tree, and apart from the mount's own flags", () => {
    const { flags, cleared, recursive } = parseMountOptions(["ro", "rnosuid", "rexec", "rrw", "rro"]);
    expect({ flags, cleared }).toEqual({ flags: ["ro"], cleared: [] });
    expect(recursive).toEqual({ set: ["nosuid", "ro"], clear: ["noexec"] });
  });

  test("relatime, remount and rbind are no recursive attributes for starting with r", () => {
    const { recursive, remount, flags } = parseMountOptions(["relatime", "remount", "rbind", "ro"]);
    expect({ recursive, remount, flags }).toEqual({ recursive: null, remount: true, flags: ["relatime", "ro"] });
  });

  test("what nobody knows is data, in order", () => {
    expect(parseMountOptions(["mode=755", "ro", "size=65536k"]).data).toBe("mode=755,size=65536k");
  });

  test("defaults is nothing, and acl is data", () => {
    expect(parseMountOptions(["defaults", "acl"]).data).toBe("acl");
  });

  test("what Podman hands on about filling a volume is nothing to the mount", () => {
    expect(parseMountOptions(["nocopy", "rbind", "copy"])).toMatchObject({ bind: "rbind", data: "" });
  });

  test("names of Object's own properties are data like any other", () => {
    expect(parseMountOptions(["constructor", "toString"]).data).toBe("constructor,toString");
  });

  test("every known option but bind, idmap and the like is used up", () => {
    for (const option of knownMountOptions()) expect(parseMountOptions([option]).data, option).toBe("");
  });
});

test("the known options are sorted and each there once", () => {
  const known = knownMountOptions();
  expect(known).toEqual([...new Set(known)].sort());
  expect(known).toEqual(
    expect.arrayContaining(["rro", "rnostrictatime", "tmpcopyup", "runbindable", "ridmap", "nosymfollow"]),
  );
});

test("a propagation is known by its name alone", () => {
  expect(parsePropagation("rshared")).toEqual({ type: "shared", recursive: true });
  expect(parsePropagation("unbindable")).toEqual({ type: "unbindable", recursive: false });
  expect(parsePropagation("")).toBeNull();
  expect(parsePropagation("rr")).toBeNull();
});

describe("crun's options", () => {
  test("about symlinks say which end is not followed", () => {
    expect(parseMountOptions(["bind", "src-nofollow"])).toMatchObject({ nofollow: ["source"], data: "" });
    expect(parseMountOptions(["bind", "dest-nofollow"])).toMatchObject({ nofollow: ["destination"], data: "" });
    expect(parseMountOptions(["bind", "copy-symlink"])).toMatchObject({ copySymlink: true, data: "" });
  });

  test("idmap with maps keeps them as they stand", () => {
    expect(parseMountOptions(["bind", "idmap=uids=0-1-1;gids=0-1-1"])).toMatchObject({
      idmap: "idmap",
      idMapping: "uids=0-1-1;gids=0-1-1",
      data: "",
    });
  });
});
