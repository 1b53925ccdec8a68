/** Runtime-spec, config-linux.md, "Cgroup ownership", sentence by sentence. */
import { expect, test } from "vitest";
import type { Mount, Spec } from "../../src/config/types.ts";
import type { CgroupLocation } from "../../src/plan/cgroups.ts";
import { planDelegation } from "../../src/plan/delegation.ts";

const location = (mode: "v1" | "v2"): CgroupLocation => ({
  driver: "cgroupfs",
  mode,
  explicit: true,
  rootless: false,
  hierarchies: [
    { version: mode === "v2" ? 2 : 1, controllers: [], mountPoint: "/sys/fs/cgroup", directory: "/sys/fs/cgroup/c" },
  ],
});

interface Request {
  mode?: "v1" | "v2";
  uid?: number;
  mount?: Partial<Mount>;
  namespaces?: { type: "cgroup" | "user"; path?: string }[];
}

const both: Request["namespaces"] = [{ type: "cgroup" }, { type: "user" }];

/** @returns the user on the host that the cgroup is given to, or `null` */
function owner({ mode = "v2", uid = 0, mount = {}, namespaces = both }: Request): number | null {
  const spec: Spec = {
    ociVersion: "1.3.0",
    process: { cwd: "/", args: ["true"], user: { uid, gid: 0 } },
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["nosuid", "rw"], ...mount },
    ],
    linux: {
      namespaces,
      uidMappings: [
        { containerID: 0, hostID: 100_000, size: 1000 },
        { containerID: 1000, hostID: 7, size: 1 },
      ],
    },
  };
  const [step, ...others] = planDelegation(spec, location(mode));
  expect(others).toEqual([]);
  if (step === undefined) return null;
  expect(step).toMatchObject({ pointer: "/mounts/1", directory: "/sys/fs/cgroup/c" });
  return step.uid;
}

test("the owner is the user on the host that maps to the process's", () => {
  expect(owner({})).toBe(100_000);
  expect(owner({ uid: 999 })).toBe(100_999);
  expect(owner({ uid: 1000 })).toBe(7);
  expect(owner({ uid: 5, namespaces: [{ type: "cgroup" }] })).toBe(5);
});

test.each<[string, Request]>([
  ["cgroup v1", { mode: "v1" }],
  ["the host's cgroup namespace", { namespaces: [{ type: "user" }] }],
  ["another's cgroup namespace", { namespaces: [{ type: "cgroup", path: "/proc/1/ns/cgroup" }, { type: "user" }] }],
  ["a hierarchy that is mounted read-only", { mount: { options: ["nosuid", "ro"] } }],
  ["one that is mounted elsewhere", { mount: { destination: "/cgroup" } }],
  ["a bind of something else", { mount: { source: "/sys/fs/cgroup", options: ["bind"] } }],
  ["a user whom nothing maps", { uid: 1001 }],
  ["maps that are not known", { namespaces: [{ type: "cgroup" }, { type: "user", path: "/proc/1/ns/user" }] }],
  ["root, whose it is", { namespaces: [{ type: "cgroup" }] }],
])("not for %s", (_, request) => {
  expect(owner(request)).toBeNull();
});
