/** Layers that want out: nothing beside the rootfs is made, changed or read, and each is refused, or kept inside, with one clear line. */
import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { sourceOf } from "../../src/image/layer/byte-source.ts";
import { extractLayer } from "../../src/image/layer/extract.ts";
import { DEFAULT_LIMITS, type LayerLimits } from "../../src/image/layer/limits.ts";
import { openRoot } from "../../src/sys/path.ts";
import { Scratch } from "../image/support.ts";
import { whyNotPrivileged } from "../support/privileges.ts";
import { gnuLong, type TarSpec, tar, tarEntry } from "../support/tar-writer.ts";

type Entries = readonly (TarSpec | Buffer)[];

const dir = (name: string, more: Partial<TarSpec> = {}): TarSpec => ({ name, type: "5", ...more });
const file = (name: string, content = "hostile", more: Partial<TarSpec> = {}): TarSpec => ({ name, content, ...more });
const symlink = (name: string, linkName: string): TarSpec => ({ name, type: "2", linkName });
const link = (name: string, linkName: string): TarSpec => ({ name, type: "1", linkName });

/** Everything beside the rootfs, with all that a change would show. Access times tell what was read. */
function outside(directory: string): string {
  const lines: string[] = [];
  const visit = (path: string) => {
    const { ino, mode, uid, gid, nlink, mtimeNs, ctimeNs, atimeNs } = lstatSync(path, { bigint: true });
    const isDirectory = lstatSync(path).isDirectory();
    lines.push([path, ino, mode, uid, gid, nlink, mtimeNs, ctimeNs, isDirectory ? "" : atimeNs].join(" "));
    if (isDirectory)
      for (const name of readdirSync(path).sort())
        if (join(path, name) !== join(directory, "rootfs")) visit(join(path, name));
  };
  visit(directory);
  return lines.join("\n");
}

/** Extracts into a rootfs that lies beside a secret. @returns the message of what was refused; `null` when nothing was */
function extract(
  scratch: Scratch,
  kind: "whole" | "own",
  layers: readonly Entries[],
  limits: Partial<LayerLimits> = {},
): string | null {
  const rootfs = scratch.at("rootfs");
  mkdirSync(rootfs);
  mkdirSync(scratch.at("outer"));
  writeFileSync(scratch.at("outer/secret"), "secret");
  writeFileSync(scratch.at("victim"), "victim");
  symlinkSync("outer", scratch.at("link"));
  execFileSync("mkfifo", [scratch.at("fifo")]);
  const before = outside(scratch.path);
  using root = openRoot(rootfs);
  const options = { limits: { ...DEFAULT_LIMITS, ...limits }, owners: "archive", overlay: "trusted" } as const;
  try {
    layers.forEach((entries, index) => {
      const target =
        kind === "whole" ? ({ kind, root, isEmpty: index === 0 } as const) : ({ kind, root, lower: [] } as const);
      extractLayer(sourceOf(tar(...entries)), target, options);
    });
    return null;
  } catch (error) {
    expect((error as Error).name).toBe("LayerError");
    return (error as Error).message;
  } finally {
    expect(outside(scratch.path)).toBe(before);
    for (const path of execFileSync("find", [rootfs, "-type", "f"], { encoding: "utf8" }).split("\n")) {
      if (path !== "") expect(readFileSync(path, "utf8")).not.toMatch(/secret|victim/);
    }
  }
}

const refused: [string, Entries[], RegExp, Partial<LayerLimits>?][] = [
  ["a name with ..", [[file("../victim")]], /entry "\.\.\/victim": a path that leads out/],
  ["a name with .. behind a directory", [[file("a/../../victim")]], /leads out/],
  ["an absolute name with ..", [[file("/../victim")]], /leads out/],
  ["a directory with ..", [[dir("../outer/")]], /leads out/],
  ["a symlink with .. in its own name", [[symlink("../link", "victim")]], /leads out/],
  ["a whiteout with ..", [[file("../.wh.victim", "")]], /leads out/],
  ["an opaque mark with ..", [[file("../outer/.wh..wh..opq", "")]], /leads out/],
  ["a whiteout of ..", [[file("a/.wh...", "")]], /a whiteout of no name/],
  ["a whiteout of the directory itself", [[file("a/.wh..", "")]], /a whiteout of no name/],
  ["a whiteout of no name", [[file(".wh.", "")]], /a whiteout of no name/],
  ["a long name of GNU with ..", [[gnuLong("L", "../victim", { name: "a" })]], /leads out/],
  ["a PAX path with ..", [[file("a", "x", { pax: { path: "../victim" } })]], /leads out/],
  ["a sparse name with ..", [[file("a", "x", { pax: { "GNU.sparse.name": "../victim" } })]], /leads out/],
  ["a ustar prefix with ..", [[file("victim", "x", { patch: (h) => void h.write("..", 345) })]], /leads out/],
  ["a hard link to ..", [[link("a", "../victim")]], /target that leads out/],
  ["a PAX linkpath with ..", [[{ name: "a", type: "1", pax: { linkpath: "../victim" } }]], /target that leads out/],
  ["a hard link through a symlink to the outside", [[symlink("s", "../outer"), link("a", "s/secret")]], /not there/],
  ["a hard link through an absolute symlink", [[symlink("s", "/"), link("a", "s/etc/shadow")]], /not there/],
  ["a hard link through /proc/self/root", [[symlink("s", "/proc/self/root"), link("a", "s/etc/shadow")]], /not there/],
  ["a hard link to a directory", [[dir("d/"), link("a", "d")]], /which is a directory/],
  ["a hard link to nothing", [[link("a", "b")]], /not there/],
  ["a hard link to a whiteout", [[link("a", ".wh.b")]], /which is a whiteout/],
  ["a hard link over the directory of its target", [[dir("d/"), file("d/f"), link("d", "d/f")]], /in its own place/],
  ["symlinks in a circle", [[symlink("a", "b"), symlink("b", "a"), file("a/x")]], /more than 40 symlinks/],
  ["a symlink to itself as a directory", [[symlink("a", "a"), file("a/x")]], /more than 40 symlinks/],
  ["a file as a directory", [[file("a"), file("a/b")]], /which is no directory/],
  ["a fifo as a directory", [[{ name: "p", type: "6" }, file("p/b")]], /which is no directory/],
  ["a symlink to a file as a directory", [[file("a"), symlink("s", "a"), file("s/b")]], /which is no directory/],
  ["a symlink in the place of the root directory", [[symlink("./", "../outer")]], /in the place of the root directory/],
  ["a file in the place of the root directory", [[file(".")]], /in the place of the root directory/],
  ["a hard link in the place of the root directory", [[link("./", "a")]], /in the place of the root directory/],
  ["a NUL in a name", [[file("a", "x", { pax: { path: "a\0/../../victim" } })]], /a name with a NUL/],
  ["a NUL in a link", [[{ name: "a", type: "2", pax: { linkpath: "a\0b" } }]], /a name with a NUL/],
  ["an id that means no change", [[file("a", "x", { uid: 0xffffffff })]], /the id 4294967295 is not one of/],
  ["an id of more than 32 bits", [[file("a", "x", { gid: 0x100000000 })]], /the id 4294967296 is not one of/],
  ["a negative id", [[file("a", "x", { uid: -1 })]], /the id -1 is not one of/],
  ["a device beyond all numbers", [[{ name: "d", type: "3", major: 5000, minor: 1 }]], /a device 5000:1: beyond/],
  ["too many entries", [[file("a"), file("b"), file("c")]], /more than 2 entries \(--max-entries\)/, { entries: 2 }],
  [
    "too many bytes",
    [[file("a", "x".repeat(5000)), file("b")]],
    /more than 4096 bytes \(--max-bytes\)/,
    { bytes: 4096 },
  ],
  [
    "too deep a path",
    [[gnuLong("L", `${"d/".repeat(256)}d`, { name: "a" })]],
    /257 components: more than 256 \(--max-depth\)/,
  ],
  ["too long a name", [[gnuLong("L", "x".repeat(256), { name: "a" })]], /a name of 256 bytes/],
  ["too long a path", [[gnuLong("L", `${"x".repeat(250)}/`.repeat(17), { name: "a" })]], /a path of \d+ bytes/],
  [
    "too long a symlink",
    [[gnuLong("K", "x".repeat(4096), { name: "a", type: "2" })]],
    /a symlink to a path of 4096 bytes/,
  ],
  ["a huge PAX header", [[tarEntry({ name: "x", type: "x", size: 2 ** 40 })]], /an extended header of/],
  ["a huge long name", [[tarEntry({ name: "x", type: "L", size: 2 ** 40 })]], /an extended header of/],
  ["a directory below a whiteout's name", [[file("a/.wh.b/c")]], /a directory whose name begins with \.wh\./],
];

/** Kept inside: what is made is below the rootfs, as in the container. */
const inside: [string, Entries[], string[]][] = [
  ["an absolute name", [[file("/victim")]], ["victim"]],
  ["a file through a symlink to the outside", [[symlink("s", "../../outer"), file("s/secret")]], ["outer/secret"]],
  ["a file through an absolute symlink", [[symlink("s", "/etc"), file("s/passwd")]], ["etc/passwd"]],
  ["a file through a symlink of an earlier layer", [[symlink("s", "/")], [file("s/victim")]], ["victim"]],
  ["a file through two symlinks", [[symlink("a", ".."), symlink("b", "a/.."), file("b/victim")]], ["victim"]],
  ["a file through /proc/self/cwd", [[symlink("s", "/proc/self/cwd"), file("s/victim")]], ["proc/self/cwd/victim"]],
  ["a file over a symlink to the outside", [[symlink("s", "../victim"), file("s")]], ["s"]],
  [
    "a directory over a symlink to the outside",
    [[symlink("s", "../outer"), dir("s/"), file("s/secret")]],
    ["s/secret"],
  ],
  ["attributes through a hard link to a symlink", [[symlink("s", "../victim"), link("h", "s")]], []],
  ["a file over a symlink to a fifo", [[symlink("s", "../fifo"), file("s")]], ["s"]],
  ["a whiteout through a symlink to the outside", [[symlink("s", "../outer")], [file("s/.wh.secret", "")]], []],
  ["an opaque mark through a symlink to the outside", [[symlink("s", "../outer")], [file("s/.wh..wh..opq", "")]], []],
  ["a whiteout of a symlink to the outside", [[symlink("s", "../outer")], [file(".wh.s", "")]], []],
  [
    "a whiteout of a directory with symlinks to the outside",
    [[dir("d/"), symlink("d/s", "../../outer")], [file(".wh.d", "")]],
    [],
  ],
];

describe.skipIf(whyNotPrivileged() !== null)("a hostile layer", () => {
  test.each(refused)("with %s is refused", (_, layers, message, limits) => {
    using scratch = new Scratch();
    const said = extract(scratch, "whole", layers, limits);
    expect(said).toMatch(message);
    expect(said).not.toContain("\n");
    using other = new Scratch();
    if (layers.length === 1) expect(extract(other, "own", layers, limits)).toMatch(message);
  });

  test.each(inside)("with %s stays inside", (_, layers, files) => {
    using scratch = new Scratch();
    expect(extract(scratch, "whole", layers)).toBeNull();
    for (const name of files) expect(readFileSync(scratch.at(`rootfs/${name}`), "utf8")).toBe("hostile");
  });
});
