import { mkdtempSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { errnoName } from "../../src/sys/errno.ts";
import { check, errnoText, hasErrno, SyscallError } from "../../src/sys/error.ts";
import { addressOf, libc, syscall, syscallSeries } from "../../src/sys/ffi.ts";
import { fstat } from "../../src/sys/stat.ts";

describe("syscall", () => {
  it("returns what the kernel returns", () => {
    expect(syscall("getpid")).toBe(process.pid);
    expect(syscall("openat", -100, "/does/not/exist", 0)).toBe(-2);
  });

  it("passes numbers of 64 bits, with their sign", () => {
    const EINVAL = 22;
    const fd = syscall("memfd_create", "test", 1);
    for (const length of [2 ** 40 + 1, 2n ** 40n, 2 ** 31, 2 ** 32 - 1]) {
      expect(syscall("ftruncate", fd, length)).toBe(0);
      expect(fstat(fd).size).toBe(Number(length));
    }
    expect(syscall("ftruncate", fd, -1)).toBe(-EINVAL);
    expect(syscall("ftruncate", fd, -(2 ** 40))).toBe(-EINVAL);
    syscall("close_range", fd, fd, 0);
  });

  it("writes to the memory that it is given, where that begins", () => {
    const pair = new Int32Array([7, 0, 0, 9]);
    expect(syscall("pipe2", pair.subarray(1, 3), 0o2000000)).toBe(0);
    const [before, read, write, after] = pair as unknown as [number, number, number, number];
    expect([before, after]).toEqual([7, 9]);
    expect(syscall("write", write, "€", 3)).toBe(3);
    const memory = new Uint8Array(8);
    expect(syscall("read", read, memory, 8)).toBe(3);
    expect(Buffer.from(memory.subarray(0, 3)).toString()).toBe("€");
    for (const fd of [read, write]) syscall("close_range", fd, fd, 0);
  });

  it("takes texts of any length, several at a time", () => {
    const [ENAMETOOLONG, ENOENT] = [36, 2];
    for (const [length, errno] of [
      [254, ENOENT],
      [256, ENAMETOOLONG],
    ] as const) {
      expect(syscall("openat", -100, `/${"x".repeat(length)}`, 0)).toBe(-errno);
    }
    // As long as fits into the addon's own memory, and longer; "€" takes three bytes.
    for (const count of [1, 339, 340, 341, 5000]) {
      const text = "€".repeat(count);
      const fd = syscall("memfd_create", "test", 1);
      expect(syscall("write", fd, text, 3 * count)).toBe(3 * count);
      const memory = new Uint8Array(3 * count);
      syscall("lseek", fd, 0, 0);
      expect(syscall("read", fd, memory, memory.length)).toBe(3 * count);
      expect(Buffer.from(memory).toString()).toBe(text);
      syscall("close_range", fd, fd, 0);
    }
    const directory = mkdtempSync(join(tmpdir(), "tsrunc-ffi-"));
    expect(syscall("symlinkat", "somewhere", -100, `${directory}/link`)).toBe(0);
    expect(readlinkSync(`${directory}/link`)).toBe("somewhere");
    rmSync(directory, { recursive: true });
  });

  it("refuses a text that the kernel would see the end of too early", () => {
    expect(() => syscall("openat", -100, "/etc\0/passwd", 0)).toThrow('a NUL in "/etc\\u0000/passwd"');
  });
});

describe("syscallSeries", () => {
  it("makes calls in their order, and tells the result of each", () => {
    const fd = syscall("memfd_create", "test", 1);
    const read = new Uint8Array(3);
    const results = syscallSeries([
      ["write", fd, Uint8Array.of(1, 2, 3), 3],
      ["lseek", fd, -1, 2],
      ["read", fd, read, 3],
      ["read", -1, null, 0],
    ]);
    expect(results).toEqual([3, 2, 1, -9]);
    expect([...read]).toEqual([3, 0, 0]);
    syscall("close_range", fd, fd, 0);
  });

  it("refuses more calls than there is room for", () => {
    const many = (count: number) => Array.from({ length: count }, () => ["getpid"] as const);
    expect(syscallSeries(many(20))).toEqual(many(20).map(() => process.pid));
    expect(() => syscallSeries(many(30))).toThrow("no room for 30 system calls");
  });
});

describe("libc", () => {
  it("finds functions by name, and passes six arguments", () => {
    const memory = Buffer.alloc(64);
    const length = libc("snprintf", memory, 64, "%s-%d-%d", "a", 1, 2);
    expect(memory.toString("utf8", 0, Number(length))).toBe("a-1-2");
  });

  it("says when there is no such function", () => {
    expect(() => libc("no_such_function")).toThrow("libc has no function no_such_function");
  });
});

describe("addressOf", () => {
  it("is where a view begins, and NULL for an empty one", () => {
    const memory = new Uint8Array(new ArrayBuffer(64));
    expect(addressOf(memory.subarray(16)) - addressOf(memory)).toBe(16n);
    expect(addressOf(new Uint8Array(0))).toBe(0n);
  });
});

describe("errors", () => {
  it("name the errno, and say it in libc's words", () => {
    expect(errnoName(2)).toBe("ENOENT");
    expect(errnoName(61)).toBe("ENODATA");
    expect(errnoName(41)).toBe("errno 41");
    expect(errnoText(13)).toBe("permission denied");
    expect(new SyscallError("mount a on b", 16).message).toBe("mount a on b: EBUSY: device or resource busy");
  });

  it("are thrown for negative results, and told apart by their errno", () => {
    expect(check(3, "")).toBe(3);
    const thrown = (() => {
      try {
        return check(-17, () => "make it");
      } catch (error) {
        return error;
      }
    })();
    expect(thrown).toMatchObject({ message: "make it: EEXIST: file exists", errno: 17 });
    expect(hasErrno(thrown, "ENOENT", "EEXIST")).toBe(true);
    expect(hasErrno(new Error("other"), "EEXIST")).toBe(false);
  });
});
