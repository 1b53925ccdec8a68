import { expect, test } from "vitest";
import type { Mount, Namespace, Spec } from "../../src/config/types.ts";
import { checkRestorable, externalNamespaces, joinedNamespaces, markOf } from "../../src/criu/namespaces.ts";
import { requireVersion, versionIn, versionText } from "../../src/criu/version.ts";

function spec(namespaces: Namespace[], mounts: Mount[] = []): Spec {
  return { ociVersion: "1.0.2", mounts, linux: { namespaces: [{ type: "mount" }, ...namespaces] } };
}

test("those by path are left alone, or joined", () => {
  const made = spec([{ type: "pid" }, { type: "network", path: "/a" }, { type: "ipc", path: "/b" }, { type: "uts" }]);
  expect(externalNamespaces(made)).toEqual([{ type: "network", path: "/a" }]);
  expect(joinedNamespaces(made)).toEqual([{ ns: "ipc", ns_file: "/b" }]);
  expect(markOf("pid", 4026531836n)).toBe("pid[4026531836]:extRootPidNS");
  expect(() => checkRestorable(made)).not.toThrow();
});

test("what cannot be restored is refused by its pointer", () => {
  expect(() => checkRestorable({ ociVersion: "1.0.2" })).toThrow("/linux/namespaces");
  expect(() => checkRestorable(spec([{ type: "cgroup", path: "/c" }]))).toThrow("/linux/namespaces/1");
  const bind: Mount = { destination: "/d", type: "bind", source: "/s", options: ["bind"] };
  expect(() => checkRestorable(spec([], [bind, { ...bind, options: ["rbind", "idmap=uids=0-1-2"] }]))).toThrow(
    "/mounts/1",
  );
  expect(() => checkRestorable(spec([], [{ ...bind, uidMappings: [] }]))).toThrow("/mounts/0");
  expect(() => checkRestorable(spec([], [bind]))).not.toThrow();
});

test("versions", () => {
  const version = versionIn({ version: { major_number: 3, minor_number: 17, sublevel: 1 } });
  expect(version).toBe(31701);
  expect([version, 40000, 31600].map(versionText)).toEqual(["3.17.1", "4.0", "3.16"]);
  expect(() => requireVersion(version, 31600, "this")).not.toThrow();
  expect(() => requireVersion(31400, 31500, "this")).toThrow("criu 3.14 is too old: this needs 3.15 or later");
  expect(() => versionIn({})).toThrow("which version");
});
