/** No cgroup: the container stays in that of whoever started it. */
import type { Resources } from "../config/types.ts";
import type { CgroupDriver } from "./driver.ts";
import { needsControllers } from "./resources-v2.ts";

export class DisabledDriver implements CgroupDriver {
  readonly rootless = true;

  hierarchyOf(): undefined {}

  isOptional(): boolean {
    return true;
  }

  make(): void {}

  /** @throws {Error} for any limit: nothing holds the container to it */
  planWrites(resources: Resources): [] {
    if (needsControllers(resources)) throw new Error("cannot set limits without cgroups");
    return [];
  }

  restrictDevices(): void {}

  killAtOnce(): boolean {
    return false;
  }
}
