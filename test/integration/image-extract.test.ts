/** Layers extracted, as root: what the tree looks like afterwards, in both kinds. */
import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sourceOf } from "../../src/image/layer/byte-source.ts";
import { type Extracted, extractLayer } from "../../src/image/layer/extract.ts";
import { DEFAULT_LIMITS } from "../../src/image/layer/limits.ts";
import { mountOverlay } from "../../src/image/snapshot/overlay-mount.ts";
import type { ByteName } from "../../src/sys/byte-name.ts";
import { O, open } from "../../src/sys/fd.ts";
import { openRoot } from "../../src/sys/path.ts";
import { xattrsAt } from "../../src/sys/xattr.ts";
import { Scratch } from "../image/support.ts";
import { whyNotPrivileged } from "../support/privileges.ts";
import { type TarSpec, tar } from "../support/tar-writer.ts";

const OPTIONS = { limits: DEFAULT_LIMITS, owners: "archive", overlay: "trusted" } as const;

type LayerSpec = readonly (TarSpec | Buffer)[];

/** Extracts layers one over the other, in one tree. */
function whole(directory: string, ...layers: LayerSpec[]): Extracted[] {
  mkdirSync(directory, { recursive: true });
  using root = openRoot(directory);
  return layers.map((entries, index) =>
    extractLayer(sourceOf(tar(...entries)), { kind: "whole", root, isEmpty: index === 0 }, OPTIONS),
  );
}

/** Extracts layers to a directory each and mounts them. @returns what the mount shows */
function mounted<T>(scratch: Scratch, layers: readonly LayerSpec[], look: (directory: string) => T): T {
  const directories = layers.map((_, index) => scratch.at(`layer${index}`));
  layers.forEach((entries, index) => {
    mkdirSync(directories[index] as string);
    using root = openRoot(directories[index] as string);
    const lower = directories.slice(0, index).reverse().map(openRoot);
    extractLayer(sourceOf(tar(...entries)), { kind: "own", root, lower }, OPTIONS);
    for (const fd of lower) fd.close();
  });
  const target = scratch.at("merged");
  mkdirSync(target);
  mkdirSync(scratch.at("empty"));
  mountOverlay(
    { lower: [scratch.at("empty"), ...directories.reverse()], upper: null, namespace: OPTIONS.overlay },
    target,
  );
  try {
    return look(target);
  } finally {
    execFileSync("umount", [target]);
  }
}

/** Every path with its type, permissions, owner, content or target, and links. */
function listing(directory: string): string[] {
  const inodes = new Map<number, string>();
  const visit = (path: string): string[] => {
    const full = join(directory, path);
    const stat = lstatSync(full, { bigint: true });
    const mode = (stat.mode & 0o7777n).toString(8);
    const inode = Number(stat.ino);
    const first = inodes.get(inode);
    if (!stat.isDirectory()) inodes.set(inode, first ?? path);
    const what = stat.isDirectory()
      ? "dir"
      : stat.isSymbolicLink()
        ? `-> ${readlinkSync(full)}`
        : stat.isFile()
          ? JSON.stringify(readFileSync(full, "latin1"))
          : "node";
    const line = `${path || "."} ${stat.isSymbolicLink() ? "" : mode} ${stat.uid}:${stat.gid} ${what}${first !== undefined && first !== path ? ` = ${first}` : ""}`;
    return [
      line,
      ...(stat.isDirectory()
        ? readdirSync(full)
            .sort()
            .flatMap((name) => visit(path === "" ? name : `${path}/${name}`))
        : []),
    ];
  };
  return visit("");
}

/** The listing, after making sure that both kinds of trees have the same. */
function both(...layers: LayerSpec[]): string[] {
  using scratch = new Scratch();
  whole(scratch.at("whole"), ...layers);
  const one = listing(scratch.at("whole"));
  const other = mounted(scratch, layers, listing);
  expect(other.slice(1)).toEqual(one.slice(1));
  return one.slice(1);
}

const dir = (name: string, more: Partial<TarSpec> = {}): TarSpec => ({ name, type: "5", ...more });
const file = (name: string, content = name, more: Partial<TarSpec> = {}): TarSpec => ({ name, content, ...more });
const symlink = (name: string, linkName: string): TarSpec => ({ name, type: "2", linkName });
const link = (name: string, linkName: string): TarSpec => ({ name, type: "1", linkName });

const whyNot = whyNotPrivileged();

describe.skipIf(whyNot !== null)("layers", () => {
  test("become what their entries say", () => {
    using scratch = new Scratch();
    const attributes = { "SCHILY.xattr.user.a": Buffer.from([0, 0x3d, 0x0a]), mtime: "1000000000.123456789" };
    // cap_net_raw+ep, version 2
    const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
    const [extracted] = whole(scratch.at("r"), [
      dir("d/", { mode: 0o1777, uid: 3_000_000, gid: 4_000_000_000, pax: { mtime: "5.5" } }),
      file("d/f", "hello", { mode: 0o6755, uid: 1000, gid: 1000, pax: attributes }),
      file("d/cap", "x", { uid: 5, pax: { "SCHILY.xattr.security.capability": capability } }),
      symlink("d/l", "../../../etc/passwd"),
      { name: "d/fifo", type: "6", mode: 0o600 },
      { name: "d/null", type: "3", major: 1, minor: 3, mode: 0o666 },
      { name: "d/disk", type: "4", major: 259, minor: 300 },
      link("d/h", "d/f"),
    ]);
    const at = (name: string) => lstatSync(scratch.at(`r/d/${name}`), { bigint: true });
    expect(extracted?.notices).toEqual([]);
    expect(statSync(scratch.at("r/d"), { bigint: true })).toMatchObject({
      mode: 0o41777n,
      uid: 3_000_000n,
      gid: 4_000_000_000n,
      mtimeNs: 5_500_000_000n,
    });
    expect(at("f")).toMatchObject({ mode: 0o106755n, uid: 1000n, mtimeNs: 1_000_000_000_123_456_789n, nlink: 2n });
    expect(at("h").ino).toBe(at("f").ino);
    expect(readlinkSync(scratch.at("r/d/l"))).toBe("../../../etc/passwd");
    expect(at("null")).toMatchObject({ mode: 0o20666n, rdev: 0x103n });
    expect(at("disk").isBlockDevice()).toBe(true);
    expect(execFileSync("stat", ["-c", "%t:%T", scratch.at("r/d/disk")], { encoding: "utf8" }).trim()).toBe("103:12c");
    expect(at("fifo").isFIFO()).toBe(true);
    const xattr = (name: string, file: string) =>
      execFileSync("getfattr", ["--only-values", "-n", name, scratch.at(`r/d/${file}`)]);
    expect(xattr("user.a", "f")).toEqual(Buffer.from([0, 0x3d, 0x0a]));
    expect(xattr("security.capability", "cap")).toEqual(capability);
  });

  test("keep holes of sparse files", () => {
    using scratch = new Scratch();
    whole(scratch.at("r"), [
      { name: "s", content: "abcd", pax: { "GNU.sparse.map": "1048576,4", "GNU.sparse.size": "8388608" } },
    ]);
    const { size, blocks } = statSync(scratch.at("r/s"));
    expect(size).toBe(8 << 20);
    expect(blocks * 512).toBeLessThan(1 << 20);
    expect(
      readFileSync(scratch.at("r/s"))
        .subarray(1 << 20, (1 << 20) + 4)
        .toString(),
    ).toBe("abcd");
  });

  test("remove by whiteouts what lower layers have, and nothing of their own", () => {
    expect(
      both(
        [dir("a/"), file("a/1"), file("a/2"), dir("b/"), file("b/1"), dir("b/d/"), file("b/d/1")],
        [file("a/.wh.1", ""), file("a/3"), file(".wh.b", ""), dir("b/"), file("b/2")],
      ),
    ).toEqual(["a 755 0:0 dir", 'a/2 644 0:0 "a/2"', 'a/3 644 0:0 "a/3"', "b 755 0:0 dir", 'b/2 644 0:0 "b/2"']);
  });

  test("remove wherever in a layer the whiteout comes", () => {
    const expected = ["d 755 0:0 dir", 'd/new 644 0:0 "d/new"'];
    const lower = [dir("d/"), file("d/old"), dir("d/sub/"), file("d/sub/x")];
    expect(both(lower, [dir("d/"), file("d/new"), file("d/.wh..wh..opq", "")])).toEqual(expected);
    expect(both(lower, [file("d/.wh..wh..opq", ""), file("d/new")])).toEqual(expected);
    expect(both(lower, [file("d/new"), file(".wh.d", "")])).toEqual(expected);
    expect(both(lower, [file("d/new"), file("d/.wh.new", ""), file("d/.wh.old", ""), file("d/.wh.sub", "")])).toEqual(
      expected,
    );
  });

  test("empty a directory that only its opaque mark names, and leave it its owner and permissions", () => {
    expect(both([dir("d/", { mode: 0o750, uid: 7, gid: 8 }), file("d/x")], [file("d/.wh..wh..opq", "")])).toEqual([
      "d 750 7:8 dir",
    ]);
  });

  test("ignore whiteouts of what is not there", () => {
    const lower = [dir("d/"), file("d/x"), symlink("s", "d")];
    const same = both(lower);
    expect(
      both(lower, [file("nowhere/.wh.y", ""), file(".wh.gone", ""), file("s/.wh.x", ""), file("d/x/.wh.y", "")]),
    ).toEqual(same);
    expect(both(lower, [file(".wh.d", ""), file("d/.wh.x", "")])).toEqual(["s  0:0 -> d"]);
    expect(both([file("a/.wh..wh..opq", ""), file(".wh.b", "")])).toEqual([]);
  });

  test("empty the root directory, and what is below is no parent of anything any more", () => {
    const lower = [dir("d/", { mode: 0o700, uid: 7 }), file("d/x"), file("y")];
    const expected = both([], [dir("d/"), file("d/n")]);
    expect(both(lower, [dir("d/"), file("d/n"), file(".wh..wh..opq", "")])).toEqual(expected);
    expect(both(lower, [file("./.wh..wh..opq", ""), dir("d/"), file("d/n")])).toEqual(expected);
    expect(both(lower, [file(".wh..wh..opq", "")], [dir("d/"), file("d/n")])).toEqual(expected);
    expect(both(lower, [file(".wh..wh..opq", "")], [file("d/n")])).toEqual(expected);
    expect(both(lower, [file(".wh..wh..opq", ""), file("d/n")])).toEqual(expected);
    expect(both([], lower, [file(".wh..wh..opq", "")], [file(".wh.y", ""), dir("d/"), file("d/n")])).toEqual(expected);
  });

  test("hide nothing by whiteouts inside of an opaque directory", () => {
    expect(
      both([dir("d/"), file("d/x")], [dir("d/"), file("d/.wh..wh..opq", ""), file("d/.wh.x", ""), file("d/y")]),
    ).toEqual(["d 755 0:0 dir", 'd/y 644 0:0 "d/y"']);
  });

  test("replace directories by files, files by directories, and symlinks by both", () => {
    expect(
      both(
        [dir("a/"), file("a/x"), file("b"), symlink("c", "a"), symlink("d", "/nowhere")],
        [file("a", "now a file"), dir("b/"), file("b/y"), dir("c/"), file("c/z"), file("d", "not followed")],
      ),
    ).toEqual([
      'a 644 0:0 "now a file"',
      "b 755 0:0 dir",
      'b/y 644 0:0 "b/y"',
      "c 755 0:0 dir",
      'c/z 644 0:0 "c/z"',
      'd 644 0:0 "not followed"',
    ]);
  });

  test("keep what a directory has when it comes again, with the later attributes", () => {
    using scratch = new Scratch();
    whole(
      scratch.at("r"),
      [dir("./", { mtime: 11 }), dir("d/", { mode: 0o700, mtime: 22 }), file("d/x")],
      [dir("d/", { mode: 0o755, mtime: 33 }), file("d/y")],
    );
    expect(readdirSync(scratch.at("r/d")).toSorted()).toEqual(["x", "y"]);
    expect(statSync(scratch.at("r/d"))).toMatchObject({ mode: 0o40755, mtimeMs: 33_000 });
    expect(statSync(scratch.at("r")).mtimeMs).toBe(11_000);
  });

  test("leave a lower layer's directory its times, whatever is made or removed in it", () => {
    const layers: LayerSpec[] = [
      [dir("d/", { mtime: 22, mode: 0o711, uid: 3 }), file("d/x")],
      [file("d/y"), file("d/.wh.x", "")],
    ];
    const look = (directory: string) => statSync(join(directory, "d"));
    using scratch = new Scratch();
    whole(scratch.at("r"), ...layers);
    expect(look(scratch.at("r"))).toMatchObject({ mtimeMs: 22_000, mode: 0o40711, uid: 3 });
    expect(mounted(scratch, layers, look)).toMatchObject({ mtimeMs: 22_000, mode: 0o40711, uid: 3 });
  });

  test("link to files of their own, of lower layers, and to symlinks, in the place of what is there", () => {
    expect(
      both(
        [file("a", "a"), symlink("s", "nowhere"), file("b", "b"), { name: "p", type: "6" }],
        [link("new/dir/h", "/a"), link("b", "./a"), link("t", "s"), link("q", "p"), link("a", "a")],
      ),
    ).toEqual([
      'a 644 0:0 "a"',
      'b 644 0:0 "a" = a',
      "new 755 0:0 dir",
      "new/dir 755 0:0 dir",
      'new/dir/h 644 0:0 "a" = a',
      "p 644 0:0 node",
      "q 644 0:0 node = p",
      "s  0:0 -> nowhere",
      "t  0:0 -> nowhere = s",
    ]);
  });

  test("link to files of layers further down, whatever they are and whatever else they are called", () => {
    const attributes = { "SCHILY.xattr.user.a": "v", mtime: "1000000000.5" };
    const layers: LayerSpec[] = [
      [
        dir("d/", { mode: 0o711, uid: 3 }),
        file("d/f", "content", { mode: 0o4750, uid: 1, gid: 2, pax: attributes }),
        link("d/g", "d/f"),
        symlink("d/s", "f"),
        { name: "d/p", type: "6", mode: 0o640, uid: 9 },
      ],
      [file("between")],
      [link("f2", "d/f"), link("deep/f3", "/d/f"), link("s2", "d/s"), link("p2", "./d/p"), link("f4", "f2")],
    ];
    const look = (directory: string) => {
      const stat = (name: string) => lstatSync(join(directory, name), { bigint: true });
      const one = stat("f2");
      return {
        content: readFileSync(join(directory, "f2"), "utf8"),
        same: ["d/f", "deep/f3", "f4"].map((name) => stat(name).ino === one.ino),
        attributes: [one.mode.toString(8), one.uid, one.gid, one.mtimeNs],
        xattr: execFileSync("getfattr", ["--only-values", "-n", "user.a", "f4"], { cwd: directory, encoding: "utf8" }),
        links: [readlinkSync(join(directory, "s2")), stat("p2").isFIFO(), stat("p2").uid],
        parent: [stat("d").mode.toString(8), stat("d").uid],
        others: readFileSync(join(directory, "d/g"), "utf8"),
      };
    };
    using scratch = new Scratch();
    whole(scratch.at("whole"), ...layers);
    const expected = {
      content: "content",
      same: [true, true, true],
      attributes: ["104750", 1n, 2n, 1_000_000_000_500_000_000n],
      xattr: "v",
      links: ["f", true, 9n],
      parent: ["40711", 3n],
      others: "content",
    };
    expect(look(scratch.at("whole"))).toEqual(expected);
    expect(mounted(scratch, layers, look)).toEqual(expected);
  });

  test("that link to a lower layer's file and remove that leave the new name alone", () => {
    const lower: LayerSpec = [dir("d/"), file("d/a", "a"), file("b", "b"), file("d/keep")];
    expect(both(lower, [link("new", "b"), file(".wh.b", "")])).toEqual([
      "d 755 0:0 dir",
      'd/a 644 0:0 "a"',
      'd/keep 644 0:0 "d/keep"',
      'new 644 0:0 "b"',
    ]);
    expect(both(lower, [link("new", "d/a"), file("d/.wh.a", "")])).toEqual([
      'b 644 0:0 "b"',
      "d 755 0:0 dir",
      'd/keep 644 0:0 "d/keep"',
      'new 644 0:0 "a"',
    ]);
    expect(both(lower, [link("new", "d/a"), file("d/.wh..wh..opq", ""), file("d/x")])).toEqual([
      'b 644 0:0 "b"',
      "d 755 0:0 dir",
      'd/x 644 0:0 "d/x"',
      'new 644 0:0 "a"',
    ]);
    // A file of the layer's own, in the place of the one that was linked to, stays.
    expect(both(lower, [link("new", "b"), file("b", "again"), file(".wh.b", "")])).toContain('b 644 0:0 "again"');
  });

  test("that remove a lower layer's file cannot link to it afterwards", () => {
    for (const kind of ["whole", "own"] as const) {
      using scratch = new Scratch();
      for (const name of ["one", "two"]) mkdirSync(scratch.at(name));
      using one = openRoot(scratch.at("one"));
      using two = openRoot(scratch.at("two"));
      const layers: LayerSpec[] = [[file("a")], [file(".wh.a", ""), link("b", "a")]];
      const extract = (entries: LayerSpec, index: number) => {
        const own = { kind: "own", root: index === 0 ? one : two, lower: index === 0 ? [] : [one] } as const;
        const target = kind === "own" ? own : ({ kind, root: one, isEmpty: index === 0 } as const);
        extractLayer(sourceOf(tar(...entries)), target, OPTIONS);
      };
      extract(layers[0] as LayerSpec, 0);
      expect(() => extract(layers[1] as LayerSpec, 1)).toThrow(/entry "b": a hard link to "a", which is not there/);
    }
  });

  test("ignore whiteouts whose parents are gone, replaced, or symlinks", () => {
    expect(
      both(
        [dir("d/"), file("d/x"), file("f"), symlink("s", "d"), symlink("loop", "loop"), symlink("out", "/nowhere/x")],
        [
          file(".wh.d", ""),
          file("d/.wh.x", ""),
          file("d/sub/.wh.y", ""),
          file("f/.wh.z", ""),
          file("s/.wh.x", ""),
          file("loop/.wh.x", ""),
          file("out/.wh.x", ""),
          file("nowhere/.wh..wh..opq", ""),
        ],
      ),
    ).toEqual(['f 644 0:0 "f"', "loop  0:0 -> loop", "out  0:0 -> /nowhere/x", "s  0:0 -> d"]);
    expect(both([file("a/.wh.a", ""), symlink("a", "elsewhere")])).toEqual(["a  0:0 -> elsewhere"]);
  });

  test("on a filesystem without xattrs lose them, and say so, of capabilities apart", () => {
    using scratch = new Scratch();
    mkdirSync(scratch.at("fat"));
    execFileSync("mount", ["-t", "ramfs", "ramfs", scratch.at("fat")]);
    const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
    const xattr = (name: string, value: string | Buffer) => ({ [`SCHILY.xattr.${name}`]: value });
    const [extracted] = whole(scratch.at("fat/r"), [
      dir("d/", { pax: xattr("user.a", "1") }),
      file("f", "f", { pax: { ...xattr("user.a", "1"), ...xattr("security.selinux", "x") } }),
      file("cap", "c", { mode: 0o4755, pax: xattr("security.capability", capability) }),
      { name: "p", type: "6", pax: xattr("trusted.a", "1") },
    ]);
    const notices = (extracted?.notices ?? []).filter(
      (notice) => !/the filesystem has no such attributes/.test(notice),
    );
    // Where ramfs has some of them there is nothing to see.
    expect(notices).toEqual([]);
    const lost = (extracted?.notices ?? []).join("\n");
    expect(lost).toMatch(/left out user\.a of d: .* \(and 2 more like it\)/);
    expect(lost).toMatch(/left out security\.capability of cap: /);
    expect(lost).not.toContain("selinux");
    expect(readFileSync(scratch.at("fat/r/f"), "utf8")).toBe("f");
    expect(statSync(scratch.at("fat/r/cap")).mode & 0o7777).toBe(0o4755);
  });

  test("keep xattrs whose values are any bytes, on files, directories and symlinks", () => {
    using scratch = new Scratch();
    const value = Buffer.from([0, 0xff, 0x3d, 0x0a, 0x20]);
    const pax = { "SCHILY.xattr.user.b": value, "SCHILY.xattr.trusted.t": value };
    const onLinks = { "SCHILY.xattr.trusted.t": value, "SCHILY.xattr.user.b": value };
    const [extracted] = whole(scratch.at("r"), [
      file("f", "f", { pax }),
      dir("d/", { pax }),
      { ...symlink("s", "f"), pax: onLinks },
    ]);
    using root = openRoot(scratch.at("r"));
    for (const name of ["f", "d", "s"] as ByteName[]) {
      const xattrs = xattrsAt(root.number, name) as Map<string, string>;
      expect(Buffer.from(xattrs.get("trusted.t") ?? "", "latin1")).toEqual(value);
      using opened = open(scratch.at(`r/${name}`), O.PATH | O.NOFOLLOW);
      expect(xattrsAt(opened.number, "" as ByteName)).toEqual(xattrs);
    }
    // Symlinks have none of the user's.
    expect(extracted?.notices).toEqual([expect.stringMatching(/^left out user\.b of s: /)]);
  });

  test("go through symlinks in the place of directories as the container would", () => {
    expect(
      both(
        [dir("usr/"), dir("usr/lib/"), symlink("lib", "/usr/lib"), symlink("l2", "../../lib")],
        [file("lib/a", "a"), file("l2/sub/b", "b")],
      ),
    ).toEqual([
      "l2  0:0 -> ../../lib",
      "lib  0:0 -> /usr/lib",
      "usr 755 0:0 dir",
      "usr/lib 755 0:0 dir",
      'usr/lib/a 644 0:0 "a"',
      "usr/lib/sub 755 0:0 dir",
      'usr/lib/sub/b 644 0:0 "b"',
    ]);
  });

  test("take the last of two entries of one name", () => {
    expect(both([file("a", "1"), file("a", "2"), dir("d/"), file("d", "3"), file("e", "4"), dir("e/")])).toEqual([
      'a 644 0:0 "2"',
      'd 644 0:0 "3"',
      "e 755 0:0 dir",
    ]);
  });

  test("never bring marks of overlayfs along", () => {
    using scratch = new Scratch();
    const layers: LayerSpec[] = [
      [dir("d/"), file("d/x"), file("y")],
      [
        dir("d/", { pax: { "SCHILY.xattr.trusted.overlay.opaque": "y", "SCHILY.xattr.user.overlay.opaque": "y" } }),
        { name: "y", type: "3", major: 0, minor: 0 },
      ],
    ];
    const notices = whole(scratch.at("r"), ...layers)[1]?.notices.join("\n");
    expect(notices).toMatch(/trusted\.overlay\.opaque of d: no layer may decide/);
    expect(notices).toMatch(/left out y: a device 0:0/);
    expect(mounted(scratch, layers, (path) => existsSync(join(path, "d/x")))).toBe(true);
  });

  test("leave out what AUFS kept for itself, and what the host decides", () => {
    using scratch = new Scratch();
    const label = { "SCHILY.xattr.security.selinux": "system_u:object_r:x_t:s0" };
    const [extracted] = whole(scratch.at("r"), [
      dir(".wh..wh.plnk/"),
      file(".wh..wh.plnk/1.2"),
      file(".wh..wh.aufs"),
      file("a", "a", { pax: label }),
    ]);
    expect(readdirSync(scratch.at("r"))).toEqual(["a"]);
    expect(extracted?.notices).toHaveLength(1);
  });

  test("have the files that AUFS kept elsewhere under the names that are links to them", () => {
    const lent = [
      dir("./", { pax: { mtime: "7" } }),
      dir("./.wh..wh.plnk/"),
      file("./.wh..wh.plnk/1.2", "content", { mode: 0o640, uid: 5, gid: 6 }),
      file("./.wh..wh.plnk/3.4", "nobody's"),
      link("./a", "./.wh..wh.plnk/1.2"),
      dir("./d/"),
      link("./d/b", ".wh..wh.plnk/1.2"),
    ];
    const expected = ['a 640 5:6 "content"', "d 755 0:0 dir", 'd/b 640 5:6 "content" = a'];
    expect(both(lent)).toEqual(expected);
    expect(both([file("a"), dir("d/"), file("d/x")], [...lent, file("d/.wh..wh..opq", "")])).toEqual(expected);
    using scratch = new Scratch();
    whole(scratch.at("r"), lent);
    expect(statSync(scratch.at("r/a")).nlink).toBe(2);
    expect(statSync(scratch.at("r")).mtimeMs).toBe(7000);
    // What another layer lent has gone with that.
    expect(() => whole(scratch.at("s"), lent, [link("c", ".wh..wh.plnk/3.4")])).toThrow("which is not there");
  });

  test("have names that are no text", () => {
    using scratch = new Scratch();
    const name = Buffer.from([0xff, 0xfe, 0x0a]);
    whole(scratch.at("r"), [{ name, content: "x" }]);
    expect(readdirSync(scratch.at("r"), { encoding: "buffer" })).toEqual([name]);
  });

  test("with many directories leave no descriptor open", () => {
    using scratch = new Scratch();
    const before = readdirSync("/proc/self/fd").length;
    whole(
      scratch.at("r"),
      Array.from({ length: 300 }, (_, index) => file(`d${index}/f`)),
    );
    expect(readdirSync("/proc/self/fd").length).toBe(before);
  });
});
