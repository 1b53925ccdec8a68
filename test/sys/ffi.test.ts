import { mkdtempSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { errnoName } from "../../src/sys/errno.ts";
import { check, errnoText, hasErrno, SyscallError } from "../../src/sys/error.ts";
import { addressOf, cString, declareAll, syscall } from "../../src/sys/ffi.ts";
import { KERNEL, LIBC, nameIn } from "../../src/sys/prototypes.ts";

describe("syscall", () => {
  it("returns what the kernel returns, by a function of libc or by number", () => {
    const [ENOENT, EINVAL] = [2, 22];
    expect(syscall("getpid")).toBe(process.pid);
    expect(syscall("openat", -100, "/does/not/exist", 0, 0)).toBe(-ENOENT);
    expect(syscall("openat2", -100, "/", new BigUint64Array(3), 0)).toBe(-EINVAL);
  });

  it("has a declaration that koffi takes for each call", () => {
    expect(() => declareAll()).not.toThrow();
    expect([...LIBC, ...KERNEL].map(nameIn)).toEqual(expect.arrayContaining(["memcpy", "_exit", "openat2"]));
  });

  it("passes numbers of 64 bits, with their sign", () => {
    const [EINVAL, SEEK_SET] = [22, 0];
    const fd = syscall("memfd_create", "test", 1);
    for (const offset of [2 ** 40 + 1, 2n ** 40n, 2 ** 31, 2 ** 32 - 1]) {
      expect(syscall("lseek", fd, offset, SEEK_SET)).toBe(Number(offset));
    }
    expect(syscall("lseek", fd, -1, SEEK_SET)).toBe(-EINVAL);
    expect(syscall("lseek", fd, -(2 ** 40), SEEK_SET)).toBe(-EINVAL);
    syscall("close_range", fd, fd, 0);
  });

  it("writes to the memory that it is given, where that begins", () => {
    const pair = new Int32Array([7, 0, 0, 9]);
    expect(syscall("pipe2", pair.subarray(1, 3), 0o2000000)).toBe(0);
    const [before, read, write, after] = pair as unknown as [number, number, number, number];
    expect([before, after]).toEqual([7, 9]);
    expect(syscall("write", write, Buffer.from("€"), 3)).toBe(3);
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
      [100_000, ENAMETOOLONG],
    ] as const) {
      expect(syscall("openat", -100, `/${"x".repeat(length)}`, 0, 0)).toBe(-errno);
    }
    const directory = mkdtempSync(join(tmpdir(), "tsrunc-ffi-"));
    const target = "€".repeat(1000);
    expect(syscall("symlinkat", target, -100, `${directory}/link`)).toBe(0);
    expect(readlinkSync(`${directory}/link`)).toBe(target);
    rmSync(directory, { recursive: true });
  });

  it("refuses a text that C would see the end of too early", () => {
    const message = 'a NUL in "/etc\\u0000/passwd"';
    expect(() => syscall("openat", -100, "/etc\0/passwd", 0, 0)).toThrow(message);
    expect(() => syscall("mount", "/etc\0/passwd", "/mnt", null, 0, null)).toThrow(message);
    expect(() => cString("/etc\0/passwd")).toThrow(message);
  });

  it("refuses what does not fit the prototype", () => {
    expect(() => (syscall as (...args: unknown[]) => unknown)("openat", -100, "/")).toThrow("4 arguments");
    expect(() => (syscall as (...args: unknown[]) => unknown)("kill", "1", 0)).toThrow("number");
  });

  it("tells the errno of this thread, whatever others do meanwhile", async () => {
    const [EBADF, ENOENT] = [9, 2];
    const failing = new Worker(
      `import { syscall } from ${JSON.stringify(import.meta.resolve("../../src/sys/ffi.ts"))};
       import { parentPort } from "node:worker_threads";
       let wrong = 0;
       for (let times = 0; times < 20000; times++) if (syscall("fchdir", -1) !== -${EBADF}) wrong++;
       parentPort.postMessage(wrong);`,
      { eval: true },
    );
    const theirs = new Promise((resolve, reject) => failing.on("message", resolve).on("error", reject));
    let wrong = 0;
    for (let times = 0; times < 20000; times++) if (syscall("chdir", "/does/not/exist") !== -ENOENT) wrong++;
    expect([wrong, await theirs]).toEqual([0, 0]);
    await failing.terminate();
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
