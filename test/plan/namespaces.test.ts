import { describe, expect, it } from "vitest";
import type { NamespaceType } from "../../src/config/types.ts";
import { describeNamespaces, planNamespaces } from "../../src/plan/namespaces.ts";

describe("planNamespaces", () => {
  it("makes new namespaces with the process, but for cgroup and time", () => {
    const namespaces = [{ type: "mount" }, { type: "pid" }, { type: "cgroup" }, { type: "time" }] as const;
    const plan = planNamespaces({ namespaces: [...namespaces] });
    expect(plan.clone).toEqual(["mount", "pid"]);
    expect(plan.steps.map(({ kind }) => kind)).toEqual(["new-time-namespace"]);
    expect(plan.inCgroups).toMatchObject([{ kind: "unshare", type: "cgroup" }]);
  });

  it("joins namespaces that have a path, with the pointer of each", () => {
    const plan = planNamespaces({ namespaces: [{ type: "uts" }, { type: "network", path: "/run/netns/a" }] });
    expect(plan.clone).toEqual(["uts"]);
    expect(plan.join).toEqual([{ type: "network", path: "/run/netns/a", pointer: "/linux/namespaces/1" }]);
  });

  it("takes an empty path for none", () => {
    expect(planNamespaces({ namespaces: [{ type: "ipc", path: "" }] }).clone).toEqual(["ipc"]);
  });

  it("keeps the init from neighbours in the pid or user namespace that it joins (CVE-2016-9962)", () => {
    const planned = (type: NamespaceType, euid = 0) =>
      planNamespaces({ namespaces: [{ type, path: "/proc/1/ns/x" }] }, undefined, euid);
    expect(planned("pid").undumpable).toBe(true);
    expect(planned("user")).toMatchObject({ undumpable: true, steps: [{ kind: "become-root", dumpable: false }] });
    expect(planned("network").undumpable).toBe(false);
    expect(planned("user", 1000)).toMatchObject({ undumpable: false, steps: [{ dumpable: true }] });
  });

  it("has id maps written and becomes root in a new user namespace", () => {
    const mapping = { containerID: 0, hostID: 100000, size: 65536 };
    const plan = planNamespaces({ namespaces: [{ type: "user" }], uidMappings: [mapping], gidMappings: [mapping] });
    expect(plan.idMaps).toEqual({ uid: [mapping], gid: [mapping] });
    expect(plan.steps[0]?.kind).toBe("become-root");
  });

  it("becomes root in a joined user namespace, whose maps are its owner's business", () => {
    const plan = planNamespaces({ namespaces: [{ type: "user", path: "/proc/1/ns/user" }] });
    expect(plan.idMaps).toBeNull();
    expect(plan.steps.map(({ kind }) => kind)).toEqual(["become-root"]);
  });

  it("becomes the process's user where root is not mapped, as with crun", () => {
    const mapping = { containerID: 1000, hostID: 100000, size: 10 };
    const linux = { namespaces: [{ type: "user" as const }], uidMappings: [mapping], gidMappings: [mapping] };
    expect(planNamespaces(linux, { uid: 1001, gid: 1002 }).steps).toMatchObject([{ uid: 1001, gid: 1002 }]);
    expect(planNamespaces(linux, { uid: 0, gid: 0 }).steps).toMatchObject([{ uid: 1000, gid: 1000 }]);
  });

  it("sets the offsets of a time namespace", () => {
    const timeOffsets = { monotonic: { secs: 7, nanosecs: 8 }, boottime: { secs: 9 } };
    const [step] = planNamespaces({ namespaces: [{ type: "time" }], timeOffsets }).steps;
    expect(step).toMatchObject({
      offsets: [
        { clock: "monotonic", seconds: 7, nanoseconds: 8 },
        { clock: "boottime", seconds: 9, nanoseconds: 0 },
      ],
    });
    expect(step?.kind === "new-time-namespace" && describeNamespaces[step.kind](step)).toBe(
      "make a new time namespace, monotonic 7s 8ns, boottime 9s 0ns",
    );
  });
});
