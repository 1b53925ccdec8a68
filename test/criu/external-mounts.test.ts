import { expect, test } from "vitest";
import { dumpedMounts, hostMounts, restoredMounts } from "../../src/criu/external-mounts.ts";
import type { RootfsStep } from "../../src/plan/rootfs.ts";

test("binds and devices are the host's, filesystems are not", () => {
  const placed = { propagation: [], recursive: null };
  const steps: RootfsStep[] = [
    {
      kind: "mount",
      target: "/proc",
      source: "proc",
      fstype: "proc",
      flags: [],
      data: "",
      inherit: "nothing",
      fallback: null,
      ...placed,
    },
    {
      kind: "bind",
      target: "/data",
      source: "/srv",
      origin: { from: "init", idmap: null },
      tree: true,
      otherwise: null,
      attributes: null,
      ...placed,
    },
    {
      kind: "bind-devices",
      directory: "/dev",
      nodes: [{ name: "null", type: "c", major: 1, minor: 3, mode: 0o666, uid: 0, gid: 0, listed: false }],
      source: null,
    },
  ];
  expect(hostMounts(steps)).toEqual([
    { target: "/data", source: "/srv", tree: true },
    { target: "/dev/null", source: "/dev/null", tree: false },
  ]);
});

test("a place has one name when it is dumped, and that leads to its source when it is restored", () => {
  expect(dumpedMounts(["/data", "/data"], ["/proc/kcore"])).toEqual([
    { key: "/data", val: "/data" },
    { key: "/proc/kcore", val: "/dev/null" },
  ]);
  const mounts = [
    { place: "/data", source: "/srv" },
    { place: "/data", source: "/over" },
  ];
  const spec = { ociVersion: "1.0.2", linux: { maskedPaths: ["/proc/kcore"] } };
  expect(restoredMounts(mounts, spec, "/own/null")).toEqual([
    { key: "/data", val: "/over" },
    { key: "/dev/null", val: "/own/null" },
  ]);
  expect(restoredMounts([], { ociVersion: "1.0.2" }, "/own/null")).toEqual([]);
});
