import { expect, test } from "vitest";
import type { Mount } from "../../src/config/types.ts";
import { keepMounts } from "../../src/plan/kept-mounts.ts";
import type { MountSurroundings } from "../../src/plan/mount-steps.ts";
import { planMount } from "../../src/plan/mounts.ts";

const around: MountSurroundings = {
  bundle: "/bundle",
  rootfsPath: "/bundle/rootfs",
  label: "",
  labelType: "context",
  systemdHierarchy: undefined,
  inUserNamespace: false,
  parentHelps: false,
  cgroupNamespace: true,
  cgroups: [],
  unifiedCgroups: true,
  containerMapping: { from: "maps", uid: [], gid: [] },
};

function kept(...mounts: Mount[]) {
  return keepMounts(mounts.map((mount, index) => planMount(index, mount, around)));
}

test("a mount that nothing changes later is not kept", () => {
  const { steps, readonlyLater } = kept({ destination: "/a", type: "tmpfs" });
  expect(steps[0]).not.toHaveProperty("keep");
  expect(readonlyLater).toEqual([]);
});

test("a tmpfs that is read-only in the end is known by its number", () => {
  const { steps, readonlyLater } = kept(
    { destination: "/b", source: "/b", options: ["bind"] },
    { destination: "/a", type: "tmpfs", options: ["ro"] },
  );
  expect(steps[1]).toMatchObject({ target: "/a", keep: 1 });
  expect(readonlyLater).toEqual([{ kind: "remount-readonly", pointer: "/mounts", path: "/a", mounted: 1 }]);
});

test("a change is of the last mount on its target, a remount of the filesystem, too", () => {
  const { steps } = kept(
    { destination: "/a", source: "/b", options: ["bind"] },
    { destination: "/a", type: "tmpfs" },
    { destination: "/a", options: ["bind", "remount", "ro"] },
    { destination: "/a", type: "tmpfs", options: ["remount", "size=1m"] },
  );
  expect(steps.map((step) => ("keep" in step ? step.keep : null))).toEqual([null, 1, null, null]);
  expect(steps.slice(2)).toMatchObject([{ mounted: 1 }, { mounted: 1 }]);
});

test("a change of what the configuration has not mounted goes by the path", () => {
  const { steps } = kept({ destination: "/a", options: ["bind", "remount", "ro"] });
  expect(steps[0]).not.toHaveProperty("mounted");
});
