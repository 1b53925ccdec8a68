import { describe, expect, test } from "vitest";
import type { CgroupMount } from "../../src/cgroup/layout.ts";
import { type CgroupLocation, type CgroupPlanInput, cleanPath, planCgroup } from "../../src/cgroup/plan.ts";

const v2: CgroupMount[] = [{ version: 2, controllers: [], mountPoint: "/sys/fs/cgroup", root: "/" }];
const at = (controllers: string[], root = "/"): CgroupMount => {
  const name = controllers.map((controller) => controller.replace("name=", "")).join(",");
  return { version: 1, controllers, mountPoint: `/sys/fs/cgroup/${name}`, root };
};
const unified: CgroupMount = { version: 2, controllers: [], mountPoint: "/sys/fs/cgroup/unified", root: "/" };

function plan(input: Partial<CgroupPlanInput>): CgroupLocation {
  return planCgroup({ id: "c1", mounts: v2, own: new Map(), manager: "cgroupfs", rootless: false, ...input });
}

function directories(input: Partial<CgroupPlanInput>): string[] {
  const location = plan(input);
  return location.driver === "disabled" ? [] : location.hierarchies.map(({ directory }) => directory);
}

describe("on cgroup v2", () => {
  const own = new Map([["", "/user.slice/session-1.scope"]]);

  test("the default is beside the runtime's own cgroup, which holds processes and so cannot have children with limits", () => {
    expect(directories({ own })).toEqual(["/sys/fs/cgroup/user.slice/c1"]);
  });

  test("an absolute cgroupsPath starts from the root", () => {
    expect(directories({ own, cgroupsPath: "/machine/x" })).toEqual(["/sys/fs/cgroup/machine/x"]);
  });

  test("a relative cgroupsPath starts where the default does", () => {
    expect(directories({ own, cgroupsPath: "a/b" })).toEqual(["/sys/fs/cgroup/user.slice/a/b"]);
  });

  test("the root cgroup's processes get theirs below the root", () => {
    expect(directories({ own: new Map([["", "/"]]) })).toEqual(["/sys/fs/cgroup/c1"]);
  });

  test("stray v1 mounts elsewhere do not make a machine hybrid", () => {
    const location = plan({ own, mounts: [{ ...at(["net_cls"]), mountPoint: "/opt/net_cls" }, ...v2] });
    expect(location).toMatchObject({ driver: "cgroupfs", mode: "v2" });
  });
});

describe("on cgroup v1", () => {
  const mounts = [at(["name=systemd"]), at(["cpu", "cpuacct"]), at(["devices"]), at(["memory"])];
  const own = new Map([
    ["name=systemd", "/s"],
    ["cpu", "/"],
    ["cpuacct", "/"],
    ["devices", "/user.slice"],
    ["memory", "/m"],
  ]);

  test("the default is below the runtime's own cgroup, in each hierarchy", () => {
    expect(directories({ mounts, own })).toEqual([
      "/sys/fs/cgroup/devices/user.slice/c1",
      "/sys/fs/cgroup/memory/m/c1",
      "/sys/fs/cgroup/cpu,cpuacct/c1",
      "/sys/fs/cgroup/systemd/s/c1",
    ]);
  });

  test("an absolute cgroupsPath is the same path in every hierarchy", () => {
    expect(directories({ mounts, own, cgroupsPath: "/a/b" })).toEqual([
      "/sys/fs/cgroup/devices/a/b",
      "/sys/fs/cgroup/memory/a/b",
      "/sys/fs/cgroup/cpu,cpuacct/a/b",
      "/sys/fs/cgroup/systemd/a/b",
    ]);
  });

  test("a hybrid machine's v2 hierarchy comes last, from its root whatever the runtime's own cgroup is", () => {
    const hybridOwn = new Map([...own, ["", "/user.slice"]]);
    expect(directories({ mounts: [...mounts, unified], own: hybridOwn }).at(-1)).toBe("/sys/fs/cgroup/unified/c1");
  });

  test("hierarchies that no container joins are left alone", () => {
    const extra = [...mounts, at(["name=elogind"])];
    expect(directories({ mounts: extra, own: new Map([...own, ["name=elogind", "/"]]) })).toHaveLength(4);
  });

  test("in a container that sees a part of the hierarchy, paths are below that part", () => {
    const nested = [at(["devices"], "/docker/4a2f")];
    expect(directories({ mounts: nested, own: new Map([["devices", "/docker/4a2f/sub"]]) })).toEqual([
      "/sys/fs/cgroup/devices/sub/c1",
    ]);
  });

  test("a runtime whose own cgroup the mount does not show stays inside the mount", () => {
    const nested = [at(["devices"], "/docker/4a2f")];
    expect(directories({ mounts: nested, own: new Map([["devices", "/elsewhere"]]) })).toEqual([
      "/sys/fs/cgroup/devices/c1",
    ]);
  });

  test("bound copies of a hierarchy do not replace the one in its usual place", () => {
    const copy = { ...at(["devices"]), mountPoint: "/var/lib/c/rootfs/sys/fs/cgroup/devices" };
    expect(directories({ mounts: [copy, at(["devices"])], own: new Map([["devices", "/"]]) })).toEqual([
      "/sys/fs/cgroup/devices/c1",
    ]);
  });

  test("without the devices hierarchy there is no container: nothing would keep it from the host's devices", () => {
    expect(() => plan({ mounts: [at(["memory"])], own })).toThrow(/mountpoint for devices not found/);
  });
});

describe("hostile paths", () => {
  const own = new Map([["", "/"]]);
  test.each([
    ["../../../etc", "/sys/fs/cgroup/etc"],
    ["/../../etc", "/sys/fs/cgroup/etc"],
    ["a/../../b/./c//d/", "/sys/fs/cgroup/b/c/d"],
  ])("%s stays in the hierarchy", (cgroupsPath, expected) => {
    expect(directories({ own, cgroupsPath })).toEqual([expected]);
  });

  test("a path that comes to nothing counts as none", () => {
    expect(directories({ own, cgroupsPath: "../.." })).toEqual(["/sys/fs/cgroup/c1"]);
  });

  test("the root of the hierarchy is no container's own", () => {
    expect(() => plan({ own, cgroupsPath: "/" })).toThrow(/names no cgroup of the container's own/);
  });

  test("cleanPath keeps absolute paths absolute and relative ones relative", () => {
    expect(["/a/../b", "a/../../b", "", "/", "..", "./x"].map(cleanPath)).toEqual(["/b", "b", "", "/", "", "x"]);
  });
});

describe("drivers", () => {
  test("systemd is refused where systemd does not run, in runc's words", () => {
    expect(() => plan({ manager: "systemd" })).toThrow(
      "systemd not running on this host, cannot use systemd cgroups manager",
    );
  });

  test("systemd names a scope in a slice, below its manager's cgroup", () => {
    const systemd = { manager: "user", controlGroup: "/user.slice/user@7.service" } as const;
    const annotations = { "org.systemd.property.CollectMode": "'inactive'", other: "x" };
    const location = plan({ manager: "systemd", systemd, cgroupsPath: "a-b.slice:p:n", annotations });
    expect(location).toMatchObject({
      driver: "systemd",
      unit: { name: "p-n.scope", slice: "a-b.slice", manager: "user" },
      properties: { "org.systemd.property.CollectMode": "'inactive'" },
    });
    for (const { directory, mountPoint } of location.hierarchies) {
      expect(directory).toBe(`${mountPoint}/user.slice/user@7.service/a.slice/a-b.slice/p-n.scope`);
    }
    expect(location.hierarchies.length).toBeGreaterThan(0);
  });

  test("disabled leaves the container where its creator is", () => {
    expect(plan({ manager: "disabled" })).toEqual({ driver: "disabled", hierarchies: [] });
  });

  test("the location survives JSON", () => {
    const location = plan({ own: new Map([["", "/a/b"]]) });
    expect(JSON.parse(JSON.stringify(location))).toEqual(location);
  });
});
