import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Spec } from "../../src/config/types.ts";
import { claimDirectory } from "../../src/runtime/container-lock.ts";
import {
  type Container,
  checkId,
  containerIds,
  findContainer,
  loadContainer,
  loadSavedConfig,
  NoSuchContainerError,
  removeDirectory,
  saveConfig,
  saveContainer,
} from "../../src/runtime/store.ts";
import { whyNotPrivileged } from "../support/privileges.ts";

let root: string;

beforeEach(() => {
  root = join(mkdtempSync(join(tmpdir(), "tsrunc-store-")), "root");
});

afterEach(() => rmSync(join(root, ".."), { recursive: true, force: true }));

const container: Container = {
  id: "c1",
  ociVersion: "1.3.0",
  bundle: "/b",
  rootfs: "/b/rootfs",
  created: "2026-01-01T00:00:00.000Z",
  owner: 0,
  annotations: {},
  init: { pid: 1, startTime: 2 },
  complete: true,
  cgroup: { driver: "disabled", hierarchies: [] },
};

describe("checkId", () => {
  it.each(["c1", "A.b_c+d-e", "...x"])("accepts %s", (id) => expect(() => checkId(id)).not.toThrow());

  it.each(["", ".", "..", "../x", "a/b", "a b", "ü", "a\n", "x".repeat(1025)])("refuses %j", (id) => {
    expect(() => checkId(id)).toThrow("invalid container ID format");
  });

  it("names the first character that an id must not have", () => {
    expect(() => checkId("a/b c")).toThrow('invalid container ID format: "a/b c": invalid character "/"');
  });
});

describe("saveContainer and loadContainer", () => {
  it("give back what was saved, and leave no temporary file", () => {
    claimDirectory(root, "c1").close();
    saveContainer(root, container);
    expect(loadContainer(root, "c1")).toEqual(container);
    expect(readdirSync(join(root, "c1"))).toEqual(["state.json"]);
  });

  it("name the file that does not hold what it should", () => {
    claimDirectory(root, "c1").close();
    writeFileSync(join(root, "c1", "state.json"), "{");
    expect(() => loadContainer(root, "c1")).toThrow(`${root}/c1/state.json: is damaged: JSON Parse error`);
  });

  it("know a container without a state from one that is not there in no way", () => {
    claimDirectory(root, "c1").close();
    expect(findContainer(root, "c1")).toBeNull();
    expect(findContainer(root, "c2")).toBeNull();
    expect(() => loadContainer(root, "c2")).toThrow(NoSuchContainerError);
    expect(() => loadContainer(root, "c2")).toThrow("container does not exist");
  });
});

describe("saveConfig and loadSavedConfig", () => {
  it.each([
    ["of small integers", 1],
    ["with integers of 64 bits", 9007199254740993n],
    ["with the largest integer", 2n ** 64n - 1n],
  ])("give back a configuration %s, as plain JSON", (_, soft) => {
    claimDirectory(root, "c1").close();
    const spec: Spec = {
      ociVersion: "1.3.0",
      process: { cwd: "/", rlimits: [{ type: "RLIMIT_FSIZE", soft, hard: soft }] },
    };
    saveConfig(root, "c1", spec);
    expect(loadSavedConfig(root, "c1")).toEqual(spec);
    const text = readFileSync(join(root, "c1", "config.json"), "utf8");
    expect(text).toContain(`"soft":${soft},`);
    expect(() => JSON.parse(text)).not.toThrow();
  });
});

describe("containerIds", () => {
  it("lists directories only, sorted; none where there is no root", () => {
    expect(containerIds(root)).toEqual([]);
    mkdirSync(join(root, "b"), { recursive: true });
    mkdirSync(join(root, "a"));
    writeFileSync(join(root, "file"), "");
    expect(containerIds(root)).toEqual(["a", "b"]);
  });
});

describe("removeDirectory", () => {
  it("removes the container's directory and may be repeated", () => {
    claimDirectory(root, "c1").close();
    removeDirectory(root, "c1");
    removeDirectory(root, "c1");
    expect(containerIds(root)).toEqual([]);
  });

  it.skipIf(whyNotPrivileged() !== null)(
    "takes the state last, so that who looks meanwhile does not find it lost",
    () => {
      claimDirectory(root, "c1").close();
      saveContainer(root, container);
      saveConfig(root, "c1", { ociVersion: "1.3.0" });
      // What is mounted on cannot be removed: so the removal stands still here.
      const config = join(root, "c1", "config.json");
      execFileSync("mount", ["--bind", config, config]);
      try {
        expect(() => removeDirectory(root, "c1")).toThrow("EBUSY");
      } finally {
        execFileSync("umount", [config]);
      }
      expect(findContainer(root, "c1")).toEqual(container);
      removeDirectory(root, "c1");
      expect(findContainer(root, "c1")).toBeNull();
    },
  );
});
