import { describe, expect, test } from "vitest";
import { sourceOf } from "../../../src/image/layer/byte-source.ts";
import { TarReader } from "../../../src/image/layer/tar-reader.ts";
import { endOfArchive, headerOf, padding, type WrittenEntry } from "../../../src/image/layer/tar-writer.ts";
import { type ByteName, nameOfBytes } from "../../../src/sys/byte-name.ts";

const PLAIN: WrittenEntry = {
  name: "a" as ByteName,
  type: "file",
  linkName: "" as ByteName,
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0n,
  major: 0,
  minor: 0,
  xattrs: new Map(),
};

describe("an entry that is written is read as it was", () => {
  test.each<[string, Partial<WrittenEntry>]>([
    ["plain", { mode: 0o6755, uid: 7, gid: 8, mtime: 1_000_000_000n }],
    ["of a long name", { name: "n".repeat(300) as ByteName }],
    ["of a name that is no text", { name: nameOfBytes(new Uint8Array([0x61, 0xff, 0x0a])) }],
    ["of large ids", { uid: 4_294_967_294, gid: 3_000_000 }],
    ["of fractions of a second", { mtime: 1_000_000_000_123_456_789n }],
    ["of before 1970", { mtime: -1_500_000_000n }],
    [
      "with xattrs",
      { xattrs: new Map([["user.a", nameOfBytes(new Uint8Array([0, 0x3d, 0x0a]))]] as [ByteName, ByteName][]) },
    ],
    ["a symlink", { type: "symlink", linkName: "../é".repeat(60) as ByteName }],
    ["a device", { type: "characterDevice", major: 259, minor: 70_000 }],
    ["a directory", { type: "directory", name: "d/" as ByteName }],
    ["a fifo", { type: "fifo" }],
  ])("%s", (_, change) => {
    const entry = { ...PLAIN, ...change };
    const reader = new TarReader(sourceOf(headerOf(entry), endOfArchive()));
    expect(reader.next()).toEqual({ ...entry, sparse: null });
    expect(reader.next()).toBeNull();
  });

  test("with its content", () => {
    const content = Buffer.alloc(700, "x");
    const reader = new TarReader(
      sourceOf(
        headerOf({ ...PLAIN, size: 700 }),
        content,
        padding(700),
        headerOf({ ...PLAIN, name: "b" as ByteName }),
        endOfArchive(),
      ),
    );
    expect(reader.next()?.size).toBe(700);
    expect(reader.next()?.name).toBe("b");
  });
});
