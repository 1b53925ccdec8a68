/** `--copy` on filesystems that share contents (reflinks): the same tree as by any other way, and next to nothing of the disk. */

import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statfsSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeBundle } from "../../src/image/bundle/bundle.ts";
import { openStore, type Store } from "../../src/image/store/store.ts";
import { Scratch } from "../image/support.ts";
import { BUNDLE_OPTIONS } from "../support/bundle-options.ts";
import { putLayers } from "../support/image-of-layers.ts";
import { whyNotPrivileged } from "../support/privileges.ts";
import { type TarSpec, tar } from "../support/tar-writer.ts";
import { hasProgram } from "./harness.ts";

const MEGABYTE = 1 << 20;
const dir = (name: string, more: Partial<TarSpec> = {}): TarSpec => ({ name, type: "5", ...more });
const file = (name: string, content = name, more: Partial<TarSpec> = {}): TarSpec => ({ name, content, ...more });
const link = (name: string, linkName: string): TarSpec => ({ name, type: "1", linkName });

/** All that layers do to each other, and a file that is large. */
const LAYERS = [
  tar(
    dir("./", { mode: 0o711, mtime: 44 }),
    { name: "large", content: randomBytes(16 * MEGABYTE) },
    dir("d/", { uid: 3, mode: 0o750 }),
    file("d/gone"),
    file("d/stays", "x", { mode: 0o4755, uid: 1, gid: 2 }),
    link("d/again", "d/stays"),
    dir("emptied/", { mode: 0o700, mtime: 77 }),
    file("emptied/old"),
    dir("becomes-file/"),
    file("becomes-file/x"),
    file("becomes-directory"),
    file("xattrs", "x", { pax: { "SCHILY.xattr.user.key": Buffer.from([0, 255, 10]) } }),
    { name: "link", type: "2", linkName: "d/stays" },
    { name: "pipe", type: "6" },
    { name: "null", type: "3", major: 1, minor: 3, mode: 0o666 },
    { name: Buffer.from([0x62, 0xff]), content: "a name of bytes" },
    dir("times/", { mtime: 55 }),
    dir("removed/"),
    file("removed/x"),
  ),
  tar(
    file("d/.wh.gone", ""),
    file("d/new", "y", { mtime: 99 }),
    file("emptied/.wh..wh..opq", ""),
    file("emptied/new"),
    file("becomes-file", "now a file"),
    dir("becomes-directory/", { mode: 0o1777 }),
    file("becomes-directory/x"),
    link("times/to-lower", "large"),
    file(".wh.removed", ""),
    dir("times/", { mtime: 66, gid: 9 }),
  ),
  tar(dir("removed/", { mode: 0o755 }), file("removed/y")),
];

/** Everything of a tree, a line a file; the names of one file share a line's end. */
function listing(root: string): string[] {
  const first = new Map<number, string>();
  const lines: string[] = [];
  const visit = (path: Buffer) => {
    const full = Buffer.concat([Buffer.from(`${root}/`), path]);
    const stat = lstatSync(full);
    const name = path.toString("latin1");
    if (!stat.isDirectory() && !first.has(stat.ino)) first.set(stat.ino, name);
    const content = stat.isFile()
      ? createHash("sha256").update(readFileSync(full)).digest("hex")
      : stat.isSymbolicLink()
        ? readlinkSync(full)
        : `${stat.rdev}`;
    lines.push(
      [name, stat.mode.toString(8), stat.uid, stat.gid, stat.mtimeMs, content, first.get(stat.ino) ?? ""].join(" "),
    );
    if (!stat.isDirectory()) return;
    const names = readdirSync(full, { encoding: "buffer" }).sort(Buffer.compare);
    for (const one of names) visit(path.length === 0 ? one : Buffer.concat([path, Buffer.from("/"), one]));
  };
  visit(Buffer.alloc(0));
  const { stdout } = spawnSync("getfattr", ["-R", "-h", "-d", "-m", "-", "."], { cwd: root, encoding: "utf8" });
  return [...lines, ...stdout.split("\n\n").sort()];
}

const bundle = (store: Store, directory: string, form: "copy" | "overlay") =>
  makeBundle({
    store,
    reference: "x",
    directory,
    options: { ...BUNDLE_OPTIONS, form },
  });

describe.each([
  { name: "xfs", options: ["-q", "-m", "reflink=1"] },
  { name: "btrfs", options: ["-q"] },
])("on $name", ({ name, options }) => {
  const why =
    whyNotPrivileged() ??
    [`mkfs.${name}`, "losetup", "getfattr"]
      .map((one) => (hasProgram(one) ? null : `${one} is not installed`))
      .find((one) => one !== null) ??
    (new RegExp(`\\b${name}$`, "m").test(readFileSync("/proc/filesystems", "utf8"))
      ? null
      : `the kernel has no ${name}`);
  let scratch: Scratch;
  let mounted = false;
  beforeAll(() => {
    if (why !== null) return;
    scratch = new Scratch();
    mkdirSync(scratch.at("disk"));
    writeFileSync(scratch.at("image"), "");
    truncateSync(scratch.at("image"), 400 * MEGABYTE);
    const made = spawnSync(`mkfs.${name}`, [...options, scratch.at("image")], { encoding: "utf8" });
    expect(made.status, made.stderr).toBe(0);
    mounted = spawnSync("mount", ["-o", "loop", scratch.at("image"), scratch.at("disk")]).status === 0;
  });
  afterAll(() => scratch?.[Symbol.dispose]());

  test.skipIf(why !== null)(
    `a copy shares its contents with the store, and is what it is elsewhere${why === null ? "" : ` (skipped: ${why})`}`,
    async ({ skip }) => {
      if (!mounted) skip(`${name} cannot be mounted by loop here`);
      const disk = scratch.at("disk");
      const store = openStore(`${disk}/store`);
      await putLayers(store, "x", { layers: LAYERS });
      const used = () => {
        spawnSync("sync", ["--file-system", disk]);
        const { blocks, bfree, bsize } = statfsSync(disk);
        return (blocks - bfree) * bsize;
      };
      const first = await bundle(store, `${disk}/first`, "copy");
      const before = used();
      const second = await bundle(store, `${disk}/second`, "copy");
      expect(used() - before).toBeLessThan(4 * MEGABYTE);
      // Whoever writes to one changes that one.
      writeFileSync(`${first}/rootfs/large`, "x", { flag: "r+" });
      // Layers that lie elsewhere are extracted.
      const elsewhere = scratch.store();
      await putLayers(elsewhere, "x", { layers: LAYERS });
      const extracted = listing(`${await bundle(elsewhere, scratch.at("extracted"), "copy")}/rootfs`);
      expect(listing(`${second}/rootfs`)).toEqual(extracted);
      expect(extracted.length).toBeGreaterThan(20);
      const over = await bundle(store, scratch.at("mounted"), "overlay");
      expect(readFileSync(`${over}/rootfs/large`).equals(readFileSync(`${second}/rootfs/large`))).toBe(true);
    },
  );
});
