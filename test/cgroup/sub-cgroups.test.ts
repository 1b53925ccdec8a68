import { describe, expect, test } from "vitest";
import type { CgroupHierarchy } from "../../src/cgroup/plan.ts";
import { parseSubCgroups, withSubCgroups } from "../../src/cgroup/sub-cgroups.ts";

describe("parseSubCgroups", () => {
  test("takes one path for all hierarchies", () => {
    expect([...parseSubCgroups(["a/b"])]).toEqual([["", "a/b"]]);
  });

  test("takes a path for each controller named", () => {
    expect([...parseSubCgroups(["memory:m", "cpu,cpuacct:c"])]).toEqual([
      ["memory", "m"],
      ["cpu", "c"],
      ["cpuacct", "c"],
    ]);
  });

  test.each([
    [["a", "b"], "invalid --cgroup argument: a (missing <controller>: prefix)"],
    [["cpu,:x"], "invalid --cgroup argument: cpu,:x (empty <controller> prefix)"],
    [["cpu:x", "cpu:y"], "invalid --cgroup argument(s): controller cpu specified multiple times"],
  ])("refuses %j", (values, message) => {
    expect(() => parseSubCgroups(values)).toThrow(message);
  });
});

describe("withSubCgroups", () => {
  const hierarchies: CgroupHierarchy[] = [
    { version: 1, controllers: ["cpu", "cpuacct"], mountPoint: "/c/cpu", directory: "/c/cpu/x" },
    { version: 1, controllers: ["memory"], mountPoint: "/c/memory", directory: "/c/memory/x" },
  ];
  const directories = (...values: string[]) =>
    withSubCgroups(hierarchies, parseSubCgroups(values)).map(({ directory }) => directory);

  test("without a path the container's own cgroup is meant", () => {
    expect(directories()).toEqual(["/c/cpu/x", "/c/memory/x"]);
    expect(directories("/")).toEqual(["/c/cpu/x", "/c/memory/x"]);
  });

  test("a controller's path moves its hierarchy only", () => {
    expect(directories("cpu,cpuacct:s")).toEqual(["/c/cpu/x/s", "/c/memory/x"]);
  });

  test.each(["..", "../xy", "a/../../b"])("%s leaves the container's cgroup and is refused", (path) => {
    expect(() => directories(path)).toThrow(`bad sub cgroup path: ${path}`);
  });

  test("an unknown controller is refused", () => {
    expect(() => directories("whaaat:/")).toThrow("unknown controller whaaat in SubCgroupPaths");
  });
});
