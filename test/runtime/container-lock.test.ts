import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { claimDirectory, isLocked, lockAgain, lockDirectory, unlock } from "../../src/runtime/container-lock.ts";
import { containerIds, removeDirectory } from "../../src/runtime/store.ts";

let root: string;

beforeEach(() => {
  root = join(mkdtempSync(join(tmpdir(), "tsrunc-lock-")), "root");
});

afterEach(() => rmSync(join(root, ".."), { recursive: true, force: true }));

describe("claimDirectory", () => {
  it("makes the root and the container's directory", () => {
    claimDirectory(root, "c1").close();
    expect(containerIds(root)).toEqual(["c1"]);
  });

  it("lets one of two have an id", () => {
    using _ = claimDirectory(root, "c1");
    expect(() => claimDirectory(root, "c1")).toThrow("container with given ID already exists");
  });

  it("says what names another place where none can be made", () => {
    expect(() => claimDirectory("/proc/none", "c1")).toThrow(
      "cannot keep a container's state below /proc/none (--root names another place): mkdir /proc/none: ENOENT",
    );
  });
});

describe("lockDirectory", () => {
  it("finds no lock for a container that is not there", () => {
    expect(lockDirectory(root, "c1")).toBeNull();
  });

  it("is seen by others, until it is let go", () => {
    using lock = claimDirectory(root, "c1");
    expect(isLocked(root, "c1")).toBe(true);
    unlock(lock);
    expect(isLocked(root, "c1")).toBe(false);
    expect(lockAgain(lock, "c1")).toBe(true);
    expect(isLocked(root, "c1")).toBe(true);
  });

  it("does not lock again what was deleted meanwhile, though another container has its name", () => {
    using lock = claimDirectory(root, "c1");
    unlock(lock);
    removeDirectory(root, "c1");
    using _ = claimDirectory(root, "c1");
    expect(lockAgain(lock, "c1")).toBe(false);
  });
});
