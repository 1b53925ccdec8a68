import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { sourceOf } from "../../../src/image/layer/byte-source.ts";
import { type TarEntry, TarReader } from "../../../src/image/layer/tar-reader.ts";
import { nameOfBytes, printable } from "../../../src/sys/byte-name.ts";
import { gnuLong, paxRecord, type TarSpec, tar, tarEntry } from "../../support/tar-writer.ts";

interface Read extends TarEntry {
  content: string;
}

function readAll(archive: Uint8Array, pieceBytes = archive.length || 1): Read[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < archive.length; at += pieceBytes) pieces.push(archive.subarray(at, at + pieceBytes));
  const reader = new TarReader(sourceOf(...pieces));
  const entries: Read[] = [];
  for (let entry = reader.next(); entry !== null; entry = reader.next()) {
    const content: Buffer[] = [];
    reader.content((piece) => void content.push(Buffer.from(piece)));
    entries.push({ ...entry, content: Buffer.concat(content).toString() });
  }
  expect(reader.position).toBe(archive.length);
  return entries;
}

const only = (spec: TarSpec | Buffer): Read => readAll(tar(spec))[0] as Read;

describe("a tar archive", () => {
  test("is read the same however its bytes come in pieces", () => {
    const archive = tar(
      { name: "a/", type: "5", mode: 0o1777 },
      { name: "a/b", content: "x".repeat(1500), pax: { mtime: "12.5", "SCHILY.xattr.user.x": "y" } },
      { name: "a/c", type: "2", linkName: "b" },
    );
    const whole = readAll(archive);
    expect(whole.map(({ name, type }) => [name, type])).toEqual([
      ["a/", "directory"],
      ["a/b", "file"],
      ["a/c", "symlink"],
    ]);
    for (const size of [1, 7, 511, 512, 513, 1024]) expect(readAll(archive, size)).toEqual(whole);
  });

  test("may end without zeros, and has no entries after them", () => {
    expect(readAll(tarEntry({ name: "a" })).map(({ name }) => name)).toEqual(["a"]);
    expect(readAll(tar({ name: "a" }, Buffer.alloc(1024), { name: "b" })).map(({ name }) => name)).toEqual(["a"]);
    expect(readAll(Buffer.concat([tarEntry({ name: "a" }), Buffer.alloc(512)])).map(({ name }) => name)).toEqual(["a"]);
    expect(readAll(new Uint8Array(0))).toEqual([]);
  });

  test("is refused where a single block of zeros stands between entries: readers differ in what it has", () => {
    expect(() => readAll(tar({ name: "a" }, Buffer.alloc(512), { name: "b" }))).toThrow(
      "a single block of zeros at byte 512, and something else after it",
    );
  });

  test("has global headers that change nothing, wherever they stand and whatever they say", () => {
    const records = [
      paxRecord("comment", "0123456789abcdef"),
      paxRecord("path", "../../etc/passwd"),
      paxRecord("uid", "7"),
      paxRecord("size", "4096"),
      paxRecord("SCHILY.xattr.user.x", "y"),
    ];
    const globalHeader = tarEntry({ name: "pax_global_header", type: "g", content: Buffer.concat(records) });
    const [first, second] = readAll(tar(globalHeader, { name: "a", content: "1" }, globalHeader, { name: "b" }));
    expect(first).toMatchObject({ name: "a", content: "1", uid: 0, size: 1 });
    expect(first?.xattrs.size).toBe(0);
    expect(second).toMatchObject({ name: "b", size: 0 });
    expect(readAll(tar(globalHeader))).toEqual([]);
    // Between an entry's own header and the entry, too.
    const own = tarEntry({ name: "p", type: "x", content: paxRecord("path", "long") });
    expect(readAll(tar(own, globalHeader, { name: "short" }))[0]?.name).toBe("long");
    const huge = tarEntry({ name: "g", type: "g", size: 2 ** 40 });
    expect(() => readAll(tar(huge))).toThrow(/an extended header of/);
    expect(() => readAll(tar(tarEntry({ name: "g", type: "g", content: "garbage" })))).toThrow(/no record/);
  });

  test("of GNU tar with all that it has is read as it was", () => {
    const long = "n".repeat(150);
    const script = `cd $(mktemp -d) && mkdir d && echo hello > d/${long} && ln -s ${"t".repeat(120)} d/l && ln d/${long} d/h && mkfifo d/p
      truncate -s 3M d/sparse && printf data | dd of=d/sparse bs=1 seek=1M conv=notrunc status=none
      tar --sort=name --sparse FORMAT -cf - d; rm -r "$PWD"`;
    for (const format of [
      "--format=gnu",
      "--format=posix --sparse-version=0.0",
      "--format=posix --sparse-version=0.1",
      "--format=posix",
    ]) {
      const archive = execFileSync("sh", ["-c", script.replace("FORMAT", format)]);
      const entries = readAll(archive);
      expect(entries.map(({ name, type }) => `${name} ${type}`)).toEqual([
        "d/ directory",
        "d/h file",
        "d/l symlink",
        `d/${long} hardLink`,
        "d/p fifo",
        "d/sparse file",
      ]);
      const sparse = entries.at(-1) as Read;
      expect(sparse.size).toBe(3 << 20);
      const part = sparse.sparse?.find(({ length }) => length > 0);
      expect(part?.offset).toBe(1 << 20);
      expect(sparse.content.startsWith("data")).toBe(true);
      expect(entries[2]?.linkName).toBe("t".repeat(120));
      expect(entries[3]?.linkName).toBe("d/h");
    }
  });
});

describe("an entry", () => {
  test("has numbers in octal, in base 256, and in PAX records", () => {
    expect(only({ name: "a", uid: 0o7777777, gid: 3_000_000_000, mtime: -5 })).toMatchObject({
      uid: 0o7777777,
      gid: 3_000_000_000,
      mtime: -5_000_000_000n,
    });
    expect(
      only({ name: "a", pax: { uid: "172761424", gid: "4294967294", size: "3" }, content: "abc", size: 0 }),
    ).toMatchObject({
      uid: 172761424,
      gid: 4294967294,
      content: "abc",
    });
  });

  test.each([
    ["1.000000001", 1_000_000_001n],
    ["-1.5", -1_500_000_000n],
    ["-0.0000000001", -1n],
    ["0.9999999999", 999_999_999n],
    ["7", 7_000_000_000n],
  ])("has a PAX time of %s", (mtime, expected) => {
    expect(only({ name: "a", pax: { mtime } }).mtime).toBe(expected);
  });

  test("has xattrs whose values are bytes", () => {
    const value = Buffer.from([0, 0x3d, 0x0a, 0xff]);
    const { xattrs } = only({
      name: "a",
      pax: { "SCHILY.xattr.user.a": value, "SCHILY.xattr.security.capability": "v" },
    });
    expect([...xattrs]).toEqual([
      ["user.a", nameOfBytes(value)],
      ["security.capability", "v"],
    ]);
  });

  test("has a name of bytes, which messages show with what is no text escaped", () => {
    const { name } = only({ name: Buffer.from([0x61, 0xff, 0x2f, 0xc3, 0xa9]) });
    expect(name).toBe("a\xff/\xc3\xa9");
    expect(printable(name)).toBe("a\\xff/\\xc3\\xa9");
    expect(printable(nameOfBytes(Buffer.from("é\n")))).toBe("\\xc3\\xa9\\x0a");
    expect(printable(nameOfBytes(Buffer.from("é")))).toBe("é");
  });

  test("has a long name by GNU's header, by PAX, or by the prefix of ustar", () => {
    const long = "l".repeat(300);
    expect(only(gnuLong("L", long, { name: "short" })).name).toBe(long);
    expect(only(gnuLong("K", long, { name: "s", type: "2", linkName: "x" })).linkName).toBe(long);
    expect(only({ name: "short", pax: { path: long } }).name).toBe(long);
    expect(only({ name: "b", patch: (header) => void header.write("pre/fix", 345) }).name).toBe("pre/fix/b");
  });

  test("has what its header says where a PAX record is empty, and the last of several records", () => {
    expect(only({ name: "a", pax: { path: "" } }).name).toBe("a");
  });

  test("is a directory when its name ends with a slash", () => {
    expect(only({ name: "d/", type: "\0" }).type).toBe("directory");
  });
});

describe("what is wrong with an archive is said in a line", () => {
  const sparse = (map: string, size: string, content: string) =>
    tar({ name: "s", content, pax: { "GNU.sparse.map": map, "GNU.sparse.size": size } });
  test.each<[string, Buffer, RegExp]>([
    ["no archive", Buffer.alloc(1024, "x"), /no tar header at byte 0/],
    ["a wrong checksum", tar({ name: "a", badChecksum: true }), /no tar header at byte 0/],
    ["cut off in a header", tarEntry({ name: "a" }).subarray(0, 100), /ends within a header/],
    [
      "cut off in content",
      tarEntry({ name: "a", content: "x".repeat(600) }).subarray(0, 800),
      /ends \d+ bytes too early/,
    ],
    ["a size that is negative", tar({ name: "a", size: -1 }), /"a": a size of -1/],
    [
      "a size beyond all",
      tar({ name: "a", patch: (h) => void h.fill(0x7f, 125, 136).fill(0x80, 124, 125) }),
      /beyond what is possible/,
    ],
    ["a size that is no number", tar({ name: "a", patch: (h) => void h.write("12x", 124) }), /is not an octal number/],
    ["a PAX size that is none", tar({ name: "a", pax: { size: "0x10" } }), /PAX size "0x10"/],
    ["a PAX time that is none", tar({ name: "a", pax: { mtime: "1e3" } }), /is not a time/],
    [
      "a PAX header that is none",
      tar({ name: "p", type: "x", content: "99 a=b\n" }, { name: "a" }),
      /no record at its byte 0/,
    ],
    [
      "a PAX header that is huge",
      tarEntry({ name: "p", type: "x", size: 1 << 30 }),
      /an extended header of 1073741824 bytes/,
    ],
    ["a NUL in a PAX path", tar({ name: "a", pax: { path: "a\0b" } }), /a name with a NUL/],
    ["an unknown type", tar({ name: "a", type: "Z" }), /unknown type, "Z"/],
    ["a part of another volume", tar({ name: "a", type: "M" }), /unknown type, "M"/],
    ["a fifo with content", tar({ name: "f", type: "6", content: "x" }), /a fifo with 1 bytes of content/],
    ["an extended header alone", tar({ name: "p", type: "x", content: "9 path=a\n" }), /ends after an extended header/],
    ["a sparse map out of order", sparse("10,2,0,2", "20", "abcd"), /a part at 0 of 2 bytes/],
    ["a sparse map beyond the file", sparse("10,20", "20", "x".repeat(20)), /a part at 10/],
    ["a sparse map of other content", sparse("0,3", "20", "abcd"), /have 3 bytes, and the archive has 4/],
    ["a sparse map of letters", sparse("0,a", "20", "abcd"), /where a number is due/],
    ["a sparse map of an odd count", sparse("0", "20", "abcd"), /offset without a length/],
  ])("%s", (_, archive, message) => {
    expect(() => readAll(archive)).toThrow(message);
    try {
      readAll(archive);
    } catch (error) {
      expect((error as Error).message).not.toContain("\n");
    }
  });
});
