import { describe, expect, test } from "vitest";
import {
  hookFiles,
  keepsOriginalGroups,
  mountContextType,
  pidfdReceiver,
  systemdHierarchyMount,
} from "../../src/config/annotations.ts";

const with_ = (name: string, value: string) => ({ annotations: { [`run.oci.${name}`]: value } });

describe("run.oci.keep_original_groups", () => {
  test.each([
    ["1", true],
    ["", true],
    ["0", false],
  ])("of %j keeps the caller's groups: %j", (value, keeps) =>
    expect(keepsOriginalGroups(with_("keep_original_groups", value))).toBe(keeps),
  );
  test("that is missing keeps none", () => expect(keepsOriginalGroups({})).toBe(false));
});

test("run.oci.hooks.* name files, taken from the bundle when relative", () => {
  expect(hookFiles(with_("hooks.stdout", "/var/log/x"), "/b")).toEqual({ stdout: "/var/log/x", stderr: undefined });
  expect(hookFiles(with_("hooks.stderr", "err"), "/b")).toEqual({ stdout: undefined, stderr: "/b/err" });
});

test("run.oci.mount_context_type says which kind of label mountLabel is", () => {
  expect(mountContextType({})).toBe("context");
  expect(mountContextType(with_("mount_context_type", "rootcontext"))).toBe("rootcontext");
});

test("paths that are empty are none", () => {
  expect(pidfdReceiver(with_("pidfd_receiver", ""))).toBeUndefined();
  expect(pidfdReceiver(with_("pidfd_receiver", "/s"))).toBe("/s");
  expect(systemdHierarchyMount(with_("systemd.force_cgroup_v1", ""))).toBeUndefined();
});
