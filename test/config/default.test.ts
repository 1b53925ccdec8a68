import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { defaultSpec, rootlessSpec } from "../../src/config/default.ts";
import { isSpec } from "../../src/config/generated/config.js";
import type { Spec } from "../../src/config/types.ts";
import { validateMeaning } from "../../src/config/validate.ts";

const root = { euid: 0, inUserNamespace: false, forCreate: true };

test("the default configuration is valid, without a warning", () => {
  const spec = defaultSpec();
  expect(isSpec(structuredClone(spec))).toBe(true);
  expect(validateMeaning(spec, root).warnings).toEqual([]);
});

test("the rootless configuration is valid for an ordinary user, without a warning", () => {
  const spec = rootlessSpec({ uid: 1000, gid: 100 });
  expect(isSpec(structuredClone(spec))).toBe(true);
  expect(validateMeaning(spec, { ...root, euid: 1000 }).warnings).toEqual([]);
  expect(spec.linux?.uidMappings).toEqual([{ containerID: 0, hostID: 1000, size: 1 }]);
  expect(spec.linux?.gidMappings).toEqual([{ containerID: 0, hostID: 100, size: 1 }]);
});

test("a cgroup namespace comes with cgroup v2", () => {
  const types = (cgroupV2: boolean) => defaultSpec({ cgroupV2 }).linux?.namespaces?.map(({ type }) => type);
  expect(types(true)).toContain("cgroup");
  expect(types(false)).not.toContain("cgroup");
});

const hasRunc = spawnSync("runc", ["--version"]).status === 0;

describe.skipIf(!hasRunc)(`runc writes the same${hasRunc ? "" : " (runc is not installed)"}`, () => {
  function runcSpec(...args: string[]): Spec {
    const directory = mkdtempSync(join(tmpdir(), "tsrunc-spec-"));
    try {
      execFileSync("runc", ["spec", ...args], { cwd: directory });
      return JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  /** Without what differs on purpose: the names, and the ambient capabilities that runc 1.2 left out. */
  function comparable(spec: Spec): Spec {
    const copy = structuredClone({ ...spec, ociVersion: "", hostname: "" });
    delete copy.process?.capabilities?.ambient;
    return copy;
  }

  test("as spec", () => {
    expect(comparable(defaultSpec())).toEqual(comparable(runcSpec()));
  });

  test("as spec --rootless", () => {
    expect(comparable(rootlessSpec())).toEqual(comparable(runcSpec("--rootless")));
  });
});
