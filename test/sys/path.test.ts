import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Fd, O } from "../../src/sys/fd.ts";
import { createFileInRoot, findInRoot, mkdirAllInRoot, openInRoot, openRoot } from "../../src/sys/path.ts";

let directory: string;
let rootfs: Fd;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tsrunc-path-"));
  rootfs = openRoot(directory);
});

afterEach(() => {
  rootfs.close();
  rmSync(directory, { recursive: true });
});

/** Where a descriptor leads, from the root. */
function place(fd: Fd): string {
  using closing = fd;
  return readlinkSync(closing.procPath).slice(directory.length) || "/";
}

function link(path: string, target: string): void {
  symlinkSync(target, join(directory, path));
}

describe("a path inside a root", () => {
  test("is found, or is not there", () => {
    mkdirSync(join(directory, "a"));
    expect(place(openInRoot(rootfs, "/a", O.PATH))).toBe("/a");
    expect(findInRoot(rootfs, "/b", O.PATH)).toBeNull();
    expect(() => openInRoot(rootfs, "/b", O.PATH)).toThrow(/open \/b in the rootfs: ENOENT/);
  });

  test.each(["/", ".", "..", "/../../.."])("never leads out: %s is the root", (path) => {
    expect(place(openInRoot(rootfs, path, O.PATH))).toBe("/");
  });

  test("has its absolute symlinks resolved from the root", () => {
    mkdirSync(join(directory, "etc"));
    link("to-etc", "/etc");
    link("out", "../../../../etc");
    expect(place(openInRoot(rootfs, "/to-etc", O.PATH))).toBe("/etc");
    expect(place(openInRoot(rootfs, "/out", O.PATH))).toBe("/etc");
  });
});

describe("a directory inside a root", () => {
  test("is made with its parents", () => {
    expect(place(mkdirAllInRoot(rootfs, "/a/b/c"))).toBe("/a/b/c");
  });

  test("is taken as it is when it is there", () => {
    mkdirSync(join(directory, "a"), { mode: 0o700 });
    expect(place(mkdirAllInRoot(rootfs, "a", 0o755))).toBe("/a");
    expect(statSync(join(directory, "a")).mode & 0o777).toBe(0o700);
  });

  test("is made where a dangling symlink points to, inside the root", () => {
    link("jump", "/tmp/there");
    expect(place(mkdirAllInRoot(rootfs, "/jump/below"))).toBe("/tmp/there/below");
    mkdirSync(join(directory, "deep"));
    link("deep/up", "../../../out");
    expect(place(mkdirAllInRoot(rootfs, "/deep/up/x"))).toBe("/out/x");
    expect(existsSync(join(directory, "../out"))).toBe(false);
  });

  test("is made through a symlink to an existing directory", () => {
    mkdirSync(join(directory, "real"));
    link("alias", "real");
    expect(place(mkdirAllInRoot(rootfs, "/alias/x/y"))).toBe("/real/x/y");
  });

  test("is refused where a file is in the way", () => {
    writeFileSync(join(directory, "file"), "");
    expect(() => mkdirAllInRoot(rootfs, "/file")).toThrow(/ENOTDIR/);
    expect(() => mkdirAllInRoot(rootfs, "/file/below")).toThrow(/ENOTDIR/);
  });

  test("is refused where symlinks go round in a circle", () => {
    link("circle", "circle");
    expect(() => mkdirAllInRoot(rootfs, "/circle/x")).toThrow(/ELOOP/);
    link("one", "two/x");
    link("two", "one/x");
    expect(() => mkdirAllInRoot(rootfs, "/one")).toThrow(/ELOOP/);
  });

  test("is not made below what is not there and left again", () => {
    link("odd", "missing/../x");
    expect(() => mkdirAllInRoot(rootfs, "/odd")).toThrow(/ENOENT/);
  });
});

describe("a file inside a root", () => {
  test("is made with its parents, empty", () => {
    expect(place(createFileInRoot(rootfs, "/etc/hosts"))).toBe("/etc/hosts");
    const { size, mode } = statSync(join(directory, "etc/hosts"));
    expect({ size, file: (mode & 0o170000) === 0o100000 }).toEqual({ size: 0, file: true });
  });

  test("is left as it is when it is there", () => {
    writeFileSync(join(directory, "file"), "text");
    createFileInRoot(rootfs, "/file").close();
    expect(statSync(join(directory, "file")).size).toBe(4);
  });

  test("is made where a chain of dangling symlinks ends", () => {
    mkdirSync(join(directory, "etc"));
    link("etc/hosts", "/jump/baz/hosts");
    link("jump", "/tmp/foo");
    expect(place(createFileInRoot(rootfs, "/etc/hosts"))).toBe("/tmp/foo/baz/hosts");
  });
});
