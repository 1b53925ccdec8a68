import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { O, open } from "../../src/sys/fd.ts";
import { exists } from "../../src/sys/file.ts";
import { findLinkStat, findStat, fstat, isDirectory, isType, type Stat, stat } from "../../src/sys/stat.ts";

let directory: string;
const at = (name: string) => join(directory, name);

beforeAll(() => {
  directory = fs.mkdtempSync(join(tmpdir(), "tsrunc-stat-"));
});
afterAll(() => fs.rmSync(directory, { recursive: true }));

describe("stat", () => {
  it.each(["/etc/passwd", "/dev/null", "/dev", "/proc/self/exe", "/proc/self/ns/net"])(
    "of %s is what Node says",
    (path) => {
      // Held open: the kernel makes the inode of a namespace, and its times, anew whenever somebody looks at it.
      const held = fs.openSync(path, "r");
      const expected = fs.statSync(path, { bigint: true });
      const { mode, uid, gid, size, ino, dev, rdev, mtime, links } = stat(path);
      const numbers = { mode, uid, gid, dev, rdev };
      const { mode: m, uid: u, gid: g, dev: d, rdev: r } = expected;
      expect(numbers).toEqual({ mode: Number(m), uid: Number(u), gid: Number(g), dev: Number(d), rdev: Number(r) });
      expect({ ino, size: BigInt(size), mtime, links: BigInt(links) }).toEqual({
        ino: expected.ino,
        size: expected.size,
        mtime: expected.mtimeNs,
        links: expected.nlink,
      });
      fs.closeSync(held);
    },
  );

  it("tells the types of files apart", () => {
    fs.symlinkSync("nowhere", at("link"));
    expect(isDirectory(stat(directory))).toBe(true);
    expect(isType(stat("/dev/null"), "characterDevice")).toBe(true);
    expect(isType(findLinkStat(at("link")) as Stat, "symlink")).toBe(true);
  });

  it("finds nothing behind a dangling link, in a file, and where nothing is", () => {
    expect(findStat(at("link"))).toBeNull();
    expect(findStat("/etc/passwd/x")).toBeNull();
    expect(findLinkStat(at("nothing"))).toBeNull();
    expect(exists(at("link"))).toBe(false);
    expect(exists(directory)).toBe(true);
  });

  it("knows a directory that has been removed by its links", () => {
    fs.mkdirSync(at("removed"));
    using removed = open(at("removed"), O.RDONLY | O.DIRECTORY);
    expect(fstat(removed.number).links).toBeGreaterThan(0);
    fs.rmdirSync(at("removed"));
    expect(fstat(removed.number).links).toBe(0);
  });

  it("reads sizes and times that take more than 32 bits, and times before 1970", () => {
    fs.writeFileSync(at("large"), "");
    fs.truncateSync(at("large"), 2 ** 33 + 5);
    fs.utimesSync(at("large"), 0, 2 ** 32 + 0.25);
    // Node takes a time before 1970 for "now".
    execFileSync("touch", ["-a", "-d", "1969-12-31T23:59:58.5Z", at("large")]);
    const { size, atime, mtime } = stat(at("large"));
    expect({ size, atime, mtime }).toEqual({
      size: 2 ** 33 + 5,
      atime: -1_500_000_000n,
      mtime: 2n ** 32n * 1_000_000_000n + 250_000_000n,
    });
  });

  it("names the path and the errno when it fails", () => {
    expect(() => stat(at("nothing"))).toThrow(`stat ${at("nothing")}: ENOENT: no such file or directory`);
  });
});
