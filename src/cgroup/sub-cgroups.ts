/** `exec --cgroup`: where below the container's cgroups a process goes. */
import { resolve } from "../sys/path-names.ts";
import type { CgroupHierarchy } from "./plan.ts";

/** A path for each controller named, or under `""` one for all. */
export type SubCgroups = ReadonlyMap<string, string>;

/**
 * Parses the values of `--cgroup`: one `path` for all hierarchies, or any number of `controller[,controller]:path`.
 * @throws {Error} when they contradict each other
 */
export function parseSubCgroups(values: readonly string[]): SubCgroups {
  const paths = new Map<string, string>();
  for (const value of values) {
    const colon = value.indexOf(":");
    if (colon < 0) {
      if (values.length !== 1) throw new Error(`invalid --cgroup argument: ${value} (missing <controller>: prefix)`);
      paths.set("", value);
      continue;
    }
    for (const controller of value.slice(0, colon).split(",")) {
      if (controller === "") throw new Error(`invalid --cgroup argument: ${value} (empty <controller> prefix)`);
      if (paths.has(controller)) {
        throw new Error(`invalid --cgroup argument(s): controller ${controller} specified multiple times`);
      }
      paths.set(controller, value.slice(colon + 1));
    }
  }
  return paths;
}

/**
 * The container's hierarchies with the directories that a process goes to.
 * @throws {Error} for a controller that the container has no cgroup of, and for a path that leaves the container's cgroup
 */
export function withSubCgroups(hierarchies: readonly CgroupHierarchy[], paths: SubCgroups): readonly CgroupHierarchy[] {
  if (paths.size === 0) return hierarchies;
  for (const controller of paths.keys()) {
    if (controller !== "" && !hierarchies.some(({ controllers }) => controllers.includes(controller))) {
      throw new Error(`unknown controller ${controller} in SubCgroupPaths`);
    }
  }
  return hierarchies.map((hierarchy) => {
    const named = hierarchy.controllers.find((controller) => paths.has(controller)) ?? "";
    const path = paths.get(named) ?? "";
    const directory = resolve(`${hierarchy.directory}/${path}`);
    if (directory !== hierarchy.directory && !directory.startsWith(`${hierarchy.directory}/`)) {
      throw new Error(`bad sub cgroup path: ${path}`);
    }
    return { ...hierarchy, directory };
  });
}
